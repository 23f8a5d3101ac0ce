-- Events that count: accepted, and the latest version of each.
with events as (
    select * from {{ ref('base_patient_flow__patient_events') }}
),

final as (
    select
        event_id,
        patient_stay_key,
        event_time,
        patient_id,
        hospital_id,
        department,
        admitted_at,
        discharged_at,
        gender,
        age,
        reported_age,
        bed_id,
        wait_minutes,
        repairs,
        is_credible,
        ingested_at,
        stream_position,
        source_file,
        record_hash
    from events
    where rejection_reason is null and not is_duplicate
)

select * from final
