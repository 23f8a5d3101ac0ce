-- Survey answers that count: accepted, and one of equal records.
with feedback as (
    select * from {{ ref('base_hospital__patient_feedback') }}
),

final as (
    select
        patient_id,
        treatment_id,
        feedback_score,
        review_date,
        feedback_id,
        source_file,
        record_hash,
        repairs
    from feedback
    where rejection_reason is null and not is_duplicate
)

select * from final
