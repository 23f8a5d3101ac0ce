-- Every hour of a department's days near its events, from its first admission to the last thing
-- known of any, hours without events too. A view: the census is the sum of all that came and went
-- before, which no stored row could hold without being written again with every late event.
{{ config(materialized='view') }}
{% set has_discharges = is_delivered('patient_flow', 'patient_events', 'discharge_time') %}
{% set gain = census_gain() ~ ' - coalesce(n_overdue, 0)' %}
{% set gain_timed = gain ~ ' - coalesce(n_stays_of_days_begun - n_stays_of_days_ended, 0)'
    ~ ' + coalesce(n_overdue_of_days, 0)' %}

with days as (
    select * from {{ ref('department_covered_hours') }}
),

hours as (
    select *, unnest(generate_series(first_hour_at, last_hour_at, to_hours(1))) as hour_at from days
),

-- Nobody stays so long: when these patients left is unknown.
overdue as (
    select
        stays.department_key, stays.admission_hour_at as hour_at, count(*) as n_overdue,
        count(*) filter (stays.is_admission_time_unknown) as n_overdue_of_days
    from {{ ref('fct_patient_stays') }} as stays
    where
        stays.is_stay_credible and stays.discharged_at is null
        and {{ is_too_long('(select max(last_known_at) from days)') }}
    group by all
),

final as (
    select
        department_key, hour_at,
        if(hour_at <= arrivals_known_until, coalesce(n_admissions, 0), null) as n_admissions,
        -- Where no time of day is known, nothing is known of any hour.
        case
            when hour_at <= arrivals_known_until
                and max(n_admissions - n_admissions_untimed) over department > 0
                then coalesce(n_admissions - n_admissions_untimed, 0)
        end as n_admissions_timed,
        coalesce(n_end_unknown, 0) + coalesce(n_overdue, 0) as n_end_unknown,
        coalesce(n_discharges, 0) as n_discharges,
        case
            when max(n_discharges_untimed) over department = 0
                or coalesce(max(n_discharges - n_discharges_untimed) over department <> 0, true)
                then coalesce(n_discharges - n_discharges_untimed, 0)
        end as n_discharges_timed,
        case when {{ has_discharges }} then sum({{ gain }}) over until_then end::bigint as census,
        case
            when max(n_admissions - n_stays_of_days_begun) over department > 0
                and {{ has_discharges }}
                then sum({{ gain_timed }}) over until_then
        end::bigint as census_timed,
        coalesce(n_wait_known, 0) as n_wait_known,
        coalesce(wait_minutes_total, 0) as wait_minutes_total,
        coalesce(wait_minutes_square_total, 0) as wait_minutes_square_total,
        median_wait_minutes, ninetieth_percentile_wait_minutes,
        coalesce(n_stay_known, 0) as n_stay_known,
        coalesce(length_of_stay_hours_total, 0) as length_of_stay_hours_total,
        coalesce(length_of_stay_hours_square_total, 0) as length_of_stay_hours_square_total,
        median_length_of_stay_hours, ninetieth_percentile_length_of_stay_hours
    from hours
    -- One row per department and hour on each side.
    left join {{ ref('department_hour_flows') }} using (department_key, hour_at)
    left join overdue using (department_key, hour_at)
    window
        department as (partition by department_key), until_then as (department order by hour_at)
)

select * from final
