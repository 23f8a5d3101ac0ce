-- A patient counts once in every feedback figure, however many answers were given.
{{ follow_changes(
    'hash(patient_id)', ['base_hospital__patient_feedback.hash(patient_id)'],
    publishes=['patient_key'],
) }}

with feedback as (
    select * from {{ ref('fct_patient_feedback') }}
    {{ only_changed() }}
),

summed as (
    select
        patient_id,
        count(*) as n_feedback,
        (sum(feedback_score) / count(*))::decimal(18, 6) as avg_feedback_score
    from feedback
    group by patient_id
),

final as (
    select
        {{ member_key('hospital', 'patient', 'patient_id') }} as patient_key,
        *
    from summed
)

select * from final
