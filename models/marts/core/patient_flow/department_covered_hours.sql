-- The days near an event of a department, up to the last thing known to have happened anywhere:
-- what lies between has no rows, however far apart two events are.
{{ config(materialized='view') }}

with stays as (
    select * from {{ ref('fct_patient_stays') }}
    where is_admission_credible
),

flows as (
    select * from {{ ref('department_hour_flows') }}
    where n_admissions + n_discharges > 0
),

known as (
    select
        greatest(
            max(admitted_at),
            max(discharged_at) filter (is_stay_credible and not is_discharge_planned)
        ) as last_known_at,
        -- Without a clock nothing says that a day after the last arrival was recorded at all.
        greatest(max(admitted_at), max(last_event_at)) as arrivals_known_until
    from stays
),

event_days as (
    select
        department_key,
        hour_at::date as event_date,
        lead(event_date) over (partition by department_key order by event_date) as next_event_date,
        min(min(hour_at)) over (partition by department_key) as first_hour_at
    from flows
    group by department_key, event_date
),

days as (
    select
        event_days.*,
        known.*,
        unnest(generate_series(
            event_date::timestamp,
            coalesce(next_event_date - 1, known.last_known_at::date)::timestamp,
            interval 1 day
        ))::date as flow_date
    from event_days
    -- known is one row.
    cross join known
),

final as (
    select
        department_key,
        flow_date,
        greatest(flow_date::timestamp, first_hour_at) as first_hour_at,
        least(flow_date + interval 23 hour, date_trunc('hour', last_known_at)) as last_hour_at,
        last_known_at,
        arrivals_known_until
    from days
    where
        flow_date - event_date <= {{ var('days_around_events') }}
        or next_event_date - flow_date <= {{ var('days_around_events') }}
)

select * from final
