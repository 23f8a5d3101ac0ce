-- One aggregate over the events of an appointment, as a view: a new event costs a build nothing.
-- Logins and sessions count since the last rescheduling; trouble counts from the beginning. Where
-- several events name a person or a time, the last of them counts.
{{ config(materialized='view') }}

with events as (
    select
        *,
        case when is_last_attempt then event_type end as last_attempt_type
    from {{ ref('fct_appointment_events') }}
),

final as (
    select
        appointment_id,
        arg_max(patient_key, sequence_number) as patient_key,
        arg_max(provider_key, sequence_number) as provider_key,
        arg_max(patient_id, sequence_number) as patient_id,
        arg_max(provider_id, sequence_number) as provider_id,
        coalesce(min(patient_key) <> max(patient_key), false) as has_conflicting_patients,
        count(*) as n_events,
        count(*) filter (event_type = 'appointment_rescheduled') as n_reschedules,
        count(*) filter (event_type = 'technical_issue') as n_technical_issues,
        arg_max(scheduled_at, sequence_number) as scheduled_at,
        bool_or(last_attempt_type is not distinct from 'appointment_cancelled') as is_cancelled,
        min(occurred_at) filter (last_attempt_type = 'patient_login') as patient_logged_in_at,
        min(occurred_at) filter (last_attempt_type = 'provider_login') as provider_logged_in_at,
        min(occurred_at) filter (last_attempt_type = 'session_started') as started_at,
        max(occurred_at) filter (last_attempt_type = 'session_ended') as ended_at,
        max(reported_duration_minutes) filter (last_attempt_type = 'session_ended')
            as reported_session_minutes
    from events
    group by appointment_id
)

select * from final
