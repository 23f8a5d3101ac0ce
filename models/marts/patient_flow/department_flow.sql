-- A department as a whole: what its stays were like, also those whose times cannot be believed.
{{ config(materialized='view') }}

with stays as (
    select * from {{ ref('fct_patient_stays') }}
),

departments as (
    select * from {{ ref('dim_department') }}
),

flows as (
    select
        department_key,
        count(distinct patient_key) as n_patients,
        count(*) as n_stays,
        count(*) filter (is_admission_credible) as n_admissions,
        count(*) filter (not is_admission_credible) as n_admissions_not_credible,
        count(*) filter (is_admission_credible and {{ is_stay_of_days() }}) as n_stays_of_days,
        count(*) filter (is_stay_too_long) as n_stays_too_long,
        count(*) filter (is_discharge_before_admission) as n_discharges_before_admission,
        count(*) filter (is_age_repaired) as n_ages_repaired,
        count(*) filter (is_stay_credible and discharged_at is null) as n_without_discharge,
        count(*) filter (is_stay_credible and is_discharge_planned) as n_discharges_planned,
        count(wait_minutes) filter (is_admission_credible) as n_wait_known,
        sum(wait_minutes) filter (is_admission_credible) as wait_minutes_total,
        quantile_cont(wait_minutes::double, [0.5, 0.9]) filter (is_admission_credible)
            as wait_quantiles,
        count(length_of_stay_hours) as n_stay_known,
        sum(length_of_stay_hours) as length_of_stay_hours_total,
        quantile_cont(length_of_stay_hours::double, [0.5, 0.9]) as stay_quantiles
    from stays
    group by department_key
),

final as (
    select
        departments.department_key,
        departments.hospital_id,
        departments.department,
        flows.n_patients,
        flows.n_stays,
        flows.n_admissions,
        flows.n_admissions_not_credible,
        flows.n_stays_of_days,
        flows.n_stays_too_long,
        flows.n_discharges_before_admission,
        flows.n_ages_repaired,
        flows.n_without_discharge,
        flows.n_discharges_planned,
        flows.n_wait_known,
        {{ round_half_up('flows.wait_minutes_total / nullif(flows.n_wait_known, 0)', 2) }}
            as avg_wait_minutes,
        {{ quantile_columns('flows.wait_quantiles', 'wait_minutes') }},
        flows.n_stay_known,
        {{ round_half_up('flows.length_of_stay_hours_total / nullif(flows.n_stay_known, 0)', 4) }}
            as avg_length_of_stay_hours,
        {{ quantile_columns('flows.stay_quantiles', 'length_of_stay_hours') }}
    from flows
    -- department_key is unique on the right.
    inner join departments on flows.department_key = departments.department_key
)

select * from final
order by hospital_id, department
