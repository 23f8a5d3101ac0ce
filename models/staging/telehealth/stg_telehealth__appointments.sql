-- Appointments that count: accepted, and the latest version of each.
with appointments as (
    select * from {{ ref('base_telehealth__appointment_logs') }}
),

final as (
    select
        appointment_id,
        provider_id,
        patient_id,
        appointment_date,
        scheduled_time,
        appointment_type,
        appointment_status,
        is_completed,
        wait_minutes,
        duration_minutes,
        device_type,
        operating_system,
        browser,
        connection_quality,
        connection_quality_score,
        has_technical_issues,
        technical_issue_type,
        recorded_at,
        repairs,
        ingested_at,
        stream_position,
        source_file,
        record_hash
    from appointments
    where rejection_reason is null and not is_duplicate
)

select * from final
