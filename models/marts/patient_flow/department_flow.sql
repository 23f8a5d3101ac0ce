-- A department as a whole: what its stays were like, also those whose times cannot be believed.
{{ config(materialized='view') }}

with stays as (
    select
        department_key,
        count(*) as n_stays,
        count(*) filter (is_admission_credible) as n_admissions,
        count(*) filter (not is_admission_credible) as n_admissions_not_credible,
        count(*) filter (is_discharge_before_admission) as n_discharges_before_admission,
        count(*) filter (is_age_repaired) as n_ages_repaired,
        count(*) filter (is_stay_credible and discharged_at is null) as n_without_discharge,
        count(wait_minutes) filter (is_admission_credible) as n_wait_known,
        sum(wait_minutes) filter (is_admission_credible) as wait_minutes_total,
        quantile_cont(wait_minutes::double, [0.5, 0.9]) filter (is_admission_credible)
            as wait_quantiles,
        count(length_of_stay_hours) as n_stay_known,
        sum(length_of_stay_hours) as length_of_stay_hours_total,
        quantile_cont(length_of_stay_hours::double, [0.5, 0.9]) as stay_quantiles
    from {{ ref('fct_patient_stays') }}
    group by department_key
),

final as (
    select
        departments.department_key,
        departments.hospital_id,
        departments.department,
        stays.n_stays,
        stays.n_admissions,
        stays.n_admissions_not_credible,
        stays.n_discharges_before_admission,
        stays.n_ages_repaired,
        stays.n_without_discharge,
        stays.n_wait_known,
        {{ round_half_up('stays.wait_minutes_total / nullif(stays.n_wait_known, 0)', 2) }}
            as avg_wait_minutes,
        {{ quantile_columns('stays.wait_quantiles', 'wait_minutes') }},
        stays.n_stay_known,
        {{ round_half_up('stays.length_of_stay_hours_total / nullif(stays.n_stay_known, 0)', 4) }}
            as avg_length_of_stay_hours,
        {{ quantile_columns('stays.stay_quantiles', 'length_of_stay_hours') }}
    from stays
    -- One row per department on each side.
    inner join {{ ref('dim_department') }} as departments
        on stays.department_key = departments.department_key
)

select * from final
order by hospital_id, department
