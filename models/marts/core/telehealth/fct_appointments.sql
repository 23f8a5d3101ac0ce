-- Reads staging by record hash, and keeps the appointment's own identifier as its key, as
-- fct_treatments does. What is still ahead or going on is neither completed nor not, and no fact
-- yet.
{{ config(
    materialized='incremental_by_key', key=['record_hash'],
    consumes=['base_telehealth__appointment_logs(record_hash)'],
    publishes=[
        {'key': ['appointment_id'], 'tracked': ['patient_id', 'provider_id']},
        {'key': ['patient_id'], 'tracked': ['patient_id']},
    ],
) }}

with appointments as (
    select * from {{ only_changed(ref('stg_telehealth__appointments')) }}
),

final as (
    select
        {{ member_key('telehealth', 'patient', 'patient_id') }} as patient_key,
        {{ member_key('telehealth', 'provider', 'provider_id') }} as provider_key,
        appointment_id,
        patient_id,
        provider_id,
        appointment_date,
        (hour(scheduled_time) * 60 + minute(scheduled_time))::integer as scheduled_minute_of_day,
        appointment_type,
        appointment_status,
        is_completed,
        wait_minutes,
        wait_minutes is not null and not is_completed as is_wait_without_visit,
        duration_minutes,
        duration_minutes is not null and not is_completed as is_duration_without_visit,
        coalesce(device_type, 'Unknown') as device_type,
        operating_system,
        browser,
        connection_quality,
        connection_quality_score,
        has_technical_issues,
        technical_issue_type,
        recorded_at,
        repairs,
        record_hash
    from appointments
    where is_completed is not null
)

select * from final
