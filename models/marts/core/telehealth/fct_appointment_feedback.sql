-- An answer carries what its visit was like, so that no question about satisfaction needs the join.
-- An answer about an appointment that no record mentions stays, with nothing known of the visit.
with feedback as (
    select * from {{ ref('stg_telehealth__appointment_feedback') }}
),

appointments as (
    select * from {{ ref('fct_appointments') }}
),

final as (
    select
        {{ member_key('telehealth', 'patient', 'feedback.patient_id') }} as patient_key,
        {{ member_key('telehealth', 'provider', 'feedback.provider_id') }} as provider_key,
        feedback.feedback_id,
        feedback.appointment_id,
        feedback.patient_id,
        feedback.provider_id,
        feedback.feedback_date,
        feedback.provider_rating,
        feedback.ease_of_use_rating,
        feedback.audio_quality_rating,
        feedback.video_quality_rating,
        feedback.overall_satisfaction,
        feedback.is_recommended,
        feedback.comment_text,
        appointments.appointment_id is not null as has_appointment,
        appointments.appointment_date,
        appointments.appointment_type,
        appointments.wait_minutes,
        appointments.device_type,
        appointments.connection_quality,
        appointments.connection_quality_score,
        appointments.has_technical_issues,
        appointments.technical_issue_type,
        feedback.recorded_at,
        feedback.repairs,
        feedback.record_hash
    from feedback
    -- appointment_id is unique on the right.
    left join appointments on feedback.appointment_id = appointments.appointment_id
)

select * from final
