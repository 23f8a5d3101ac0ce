-- Waits are of those who arrive in the hour, stays of those who leave in it, as far as the time of
-- day is known. Quantiles cannot be added up, so they are taken of the stays themselves.
{{ config(materialized='view') }}

with stays as (
    select * from {{ ref('fct_patient_stays') }}
    where is_admission_credible
),

waits as (
    select
        department_key,
        hour(admitted_at)::integer as hour_of_day,
        count(*) as n_wait_known,
        sum(wait_minutes) as wait_minutes_total,
        quantile_cont(wait_minutes::double, [0.5, 0.9]) as quantiles
    from stays
    where wait_minutes is not null and is_admission_time_unknown is not true
    group by all
),

lengths as (
    select
        department_key,
        hour(discharged_at)::integer as hour_of_day,
        count(*) as n_stay_known,
        sum(length_of_stay_hours) as length_of_stay_hours_total,
        quantile_cont(length_of_stay_hours::double, [0.5, 0.9]) as quantiles
    from stays
    where length_of_stay_hours is not null and not {{ is_stay_of_days() }}
    group by all
),

final as (
    select
        department_key,
        hour_of_day,
        coalesce(n_wait_known, 0) as n_wait_known, wait_minutes_total,
        coalesce(n_stay_known, 0) as n_stay_known, length_of_stay_hours_total,
        {{ quantile_columns('waits.quantiles', 'wait_minutes') }},
        {{ quantile_columns('lengths.quantiles', 'length_of_stay_hours') }}
    from waits
    -- A department and hour of day is unique on both sides.
    full join lengths using (department_key, hour_of_day)
)

select * from final
