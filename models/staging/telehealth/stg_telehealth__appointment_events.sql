-- Events that count: accepted, and the latest version of each.
with events as (
    select * from {{ ref('base_telehealth__appointment_events') }}
),

final as (
    select
        event_id,
        appointment_id,
        event_type,
        occurred_at,
        patient_id,
        provider_id,
        details,
        event_type_order,
        scheduled_at,
        reason,
        technical_issue_type,
        reported_duration_minutes,
        device_type,
        repairs,
        ingested_at,
        stream_position,
        source_file,
        record_hash
    from events
    where rejection_reason is null and not is_duplicate
)

select * from final
