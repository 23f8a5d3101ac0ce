-- Answers about visits that count: accepted, and the latest version of each.
with feedback as (
    select * from {{ ref('base_telehealth__patient_feedback') }}
),

final as (
    select
        feedback_id,
        appointment_id,
        patient_id,
        provider_id,
        feedback_date,
        provider_rating,
        ease_of_use_rating,
        audio_quality_rating,
        video_quality_rating,
        overall_satisfaction,
        is_recommended,
        comment_text,
        recorded_at,
        repairs,
        source_file,
        record_hash
    from feedback
    where rejection_reason is null and not is_duplicate
)

select * from final
