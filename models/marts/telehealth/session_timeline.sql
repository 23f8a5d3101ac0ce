-- What became of an appointment by its events, what cannot be, and whether the log agrees.
{{ config(materialized='view') }}

with summaries as (
    select * from {{ ref('appointment_event_summary') }}
),

appointments as (
    select * from {{ ref('fct_appointments') }}
),

known as (
    select
        summaries.* exclude (scheduled_at),
        coalesce(
            summaries.scheduled_at,
            appointments.appointment_date + to_minutes(appointments.scheduled_minute_of_day)
        ) as scheduled_at,
        appointments.appointment_status as logged_status,
        case
            when ended_at is not null then 'completed'
            when is_cancelled then 'cancelled'
            when started_at is not null then 'not ended'
            else 'not started'
        end as outcome,
        coalesce(started_at < patient_logged_in_at, false) as is_start_before_patient_login,
        coalesce(started_at < provider_logged_in_at, false) as is_start_before_provider_login,
        coalesce(ended_at < started_at, false) as is_end_before_start,
        ended_at is not null and started_at is null as is_end_without_start,
        is_cancelled
        and coalesce(started_at, ended_at) is not null as is_session_despite_cancellation
    from summaries
    -- appointment_id is unique on the right.
    left join appointments on summaries.appointment_id = appointments.appointment_id
),

final as (
    select
        *,
        case
            when not is_start_before_patient_login
                then {{ minutes_between('patient_logged_in_at', 'started_at') }}
        end as patient_wait_minutes,
        {{ minutes_between('scheduled_at', 'started_at') }} as lateness_minutes,
        case
            when not is_end_before_start then {{ minutes_between('started_at', 'ended_at') }}
        end as session_minutes,
        -- A status that nobody foresaw is not compared.
        case logged_status
            when 'Completed' then outcome = 'completed'
            when 'Cancelled' then outcome = 'cancelled'
            when 'Rescheduled' then outcome = 'not started' and n_reschedules > 0
            when 'No-show' then outcome = 'not started' and patient_logged_in_at is null
        end as is_consistent_with_log
    from known
)

select * from final
