-- Comments as patients wrote them, each with a hash by which equal ones are scored once.
with feedback as (
    select * from {{ ref('fct_appointment_feedback') }}
),

final as (
    select
        feedback_id,
        feedback_date,
        appointment_id,
        comment_text,
        md5(comment_text) as comment_hash,
        overall_satisfaction::double as overall_satisfaction
    from feedback
)

select * from final
