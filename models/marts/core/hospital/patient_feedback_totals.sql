-- A patient counts once in every feedback figure, however many answers were given.
{{ config(
    materialized='incremental_by_key', key=['patient_id'],
    consumes=['base_hospital__patient_feedback(patient_id)'],
    publishes=[{'key': ['patient_key']}],
) }}

with feedback as (
    select * from {{ only_changed(ref('fct_patient_feedback')) }}
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
