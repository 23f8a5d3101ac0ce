-- A patient counts once in every feedback figure, however many answers were given.
{{ follow_changes('patient_key', ['fct_patient_feedback.patient_key']) }}

with feedback as (
    select * from {{ ref('fct_patient_feedback') }}
    {{ only_changed() }}
),

final as (
    select
        patient_key,
        any_value(patient_id) as patient_id,
        count(*) as n_feedback,
        (sum(feedback_score) / count(*))::decimal(18, 6) as avg_feedback_score
    from feedback
    group by patient_key
)

select * from final
