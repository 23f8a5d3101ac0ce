-- Who comes, and how it goes for them. Unknown is what nobody said, or what could not be.
{{ config(materialized='view') }}

with stays as (
    select * from {{ ref('fct_patient_stays') }}
),

counted as (
    select
        coalesce(gender, 'Unknown') as gender,
        coalesce({{ age_group('age') }}, 'Unknown') as age_group,
        count(*) as n_stays,
        count(distinct patient_key) as n_patients,
        count(wait_minutes) filter (is_admission_credible) as n_wait_known,
        sum(wait_minutes) filter (is_admission_credible) as wait_minutes_total,
        quantile_cont(wait_minutes::double, [0.5, 0.9]) filter (is_admission_credible)
            as wait_quantiles,
        count(length_of_stay_hours) as n_stay_known,
        sum(length_of_stay_hours) as length_of_stay_hours_total,
        quantile_cont(length_of_stay_hours::double, [0.5, 0.9]) as stay_quantiles
    from stays
    group by all
),

final as (
    select
        gender,
        age_group,
        n_stays,
        n_patients,
        n_wait_known,
        {{ round_half_up('wait_minutes_total / nullif(n_wait_known, 0)', 2) }}
            as avg_wait_minutes,
        {{ quantile_columns('wait_quantiles', 'wait_minutes') }},
        n_stay_known,
        {{ round_half_up('length_of_stay_hours_total / nullif(n_stay_known, 0)', 2) }}
            as avg_length_of_stay_hours,
        {{ quantile_columns('stay_quantiles', 'length_of_stay_hours') }}
    from counted
)

select * from final
order by gender, age_group <> 'Under 18', age_group
