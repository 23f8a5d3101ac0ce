-- What happened to an appointment, in order of time. A rescheduling opens a further attempt: who
-- logged in before it did so in vain. Where an event names nobody, the appointment may.
{{ config(
    materialized='incremental_by_key', key=['appointment_id'],
    consumes=[
        'base_telehealth__appointment_events(appointment_id)', 'fct_appointments(appointment_id)',
    ],
    publishes=[{'key': ['patient_id'], 'tracked': ['patient_id']}],
) }}

with events as (
    select * from {{ only_changed(ref('stg_telehealth__appointment_events')) }}
),

appointments as (
    select * from {{ ref('fct_appointments') }}
),

people as (
    select
        events.*,
        coalesce(events.patient_id, appointments.patient_id) as known_patient_id,
        coalesce(events.provider_id, appointments.provider_id) as known_provider_id,
        appointments.appointment_id is not null as has_appointment
    from events
    -- appointment_id is unique on the right.
    left join appointments on events.appointment_id = appointments.appointment_id
),

ordered as (
    select
        *,
        row_number() over in_order as sequence_number,
        1 + count(*) filter (event_type = 'appointment_rescheduled') over so_far as attempt_number,
        lag(occurred_at) over in_order as previous_at
    from people
    window
        in_order as (partition by appointment_id order by occurred_at, event_type_order, event_id),
        so_far as (
            partition by appointment_id order by occurred_at, event_type_order, event_id
            rows unbounded preceding
        )
),

final as (
    select
        case
            when known_patient_id is not null
                then {{ member_key('telehealth', 'patient', 'known_patient_id') }}
        end as patient_key,
        case
            when known_provider_id is not null
                then {{ member_key('telehealth', 'provider', 'known_provider_id') }}
        end as provider_key,
        event_id, appointment_id,
        known_patient_id as patient_id, known_provider_id as provider_id,
        has_appointment, event_type,
        occurred_at, occurred_at::date as event_date,
        sequence_number,
        {{ minutes_between('previous_at', 'occurred_at') }} as minutes_since_previous,
        attempt_number,
        attempt_number = max(attempt_number) over (partition by appointment_id) as is_last_attempt,
        if(event_type in ('appointment_scheduled', 'appointment_rescheduled'), scheduled_at, null)
            as scheduled_at,
        reason, technical_issue_type, reported_duration_minutes, device_type,
        ingested_at, repairs, record_hash
    from ordered
)

select * from final
