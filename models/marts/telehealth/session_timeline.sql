-- One aggregate over the events of an appointment. A view, so that a new event costs a build nothing.
-- Logins and sessions count since the last rescheduling; trouble counts from the beginning.
{{ config(materialized='view') }}

with events as (
    select *, case when is_last_attempt then event_type end as last_attempt_type
    from {{ ref('fct_appointment_events') }}
),

told as (
    select
        appointment_id,
        {% for column in ['patient_key', 'provider_key', 'patient_id', 'provider_id'] %}
            max_by({{ column }}, sequence_number) filter ({{ column }} is not null) as {{ column }},
        {% endfor %}
        coalesce(min(patient_key) <> max(patient_key), false) as has_conflicting_patients,
        count(*) as n_events,
        count(*) filter (event_type = 'appointment_rescheduled') as n_reschedules,
        count(*) filter (event_type = 'technical_issue') as n_technical_issues,
        max_by(scheduled_at, sequence_number) filter (scheduled_at is not null)
            as told_scheduled_at,
        bool_or(last_attempt_type is not distinct from 'appointment_cancelled') as is_cancelled,
        min(occurred_at) filter (last_attempt_type = 'patient_login') as patient_logged_in_at,
        min(occurred_at) filter (last_attempt_type = 'provider_login') as provider_logged_in_at,
        min(occurred_at) filter (last_attempt_type = 'session_started') as started_at,
        max(occurred_at) filter (last_attempt_type = 'session_ended') as ended_at,
        max(reported_duration_minutes) filter (last_attempt_type = 'session_ended')
            as reported_session_minutes
    from events
    group by appointment_id
),

known as (
    select
        told.* exclude (told_scheduled_at),
        coalesce(
            told.told_scheduled_at,
            appointments.appointment_date + to_minutes(appointments.scheduled_minute_of_day)
        ) as scheduled_at,
        appointments.appointment_status as logged_status,
        case
            when told.ended_at is not null then 'completed'
            when told.is_cancelled then 'cancelled'
            when told.started_at is not null then 'not ended'
            else 'not started'
        end as outcome
    from told
    -- appointment_id is unique on the right.
    left join {{ ref('fct_appointments') }} as appointments
        on told.appointment_id = appointments.appointment_id
),

judged as (
    select
        *,
        coalesce(started_at < patient_logged_in_at, false) as is_start_before_patient_login,
        coalesce(started_at < provider_logged_in_at, false) as is_start_before_provider_login,
        coalesce(ended_at < started_at, false) as is_end_before_start,
        ended_at is not null and started_at is null as is_end_without_start,
        is_cancelled and coalesce(started_at, ended_at) is not null as is_session_despite_cancellation
    from known
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
        -- A status that nobody foresaw is not judged.
        case logged_status
            when 'Completed' then outcome = 'completed'
            when 'Cancelled' then outcome = 'cancelled'
            when 'Rescheduled' then outcome = 'not started' and n_reschedules > 0
            when 'No-show' then outcome = 'not started' and patient_logged_in_at is null
        end as is_consistent_with_log
    from judged
)

select * from final
