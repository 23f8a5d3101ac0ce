-- Answers that name neither themselves, nor treatment, nor day may repeat, and are numbered by
-- their occurrence. A view, as fct_treatments is.
{{ config(materialized='view') }}

with feedback as (
    select * from {{ ref('stg_hospital__patient_feedback') }}
),

identified as (
    select *, 1 as occurrence
    from feedback
    where coalesce(feedback_id, treatment_id, review_date::varchar) is not null
),

unidentified as (
    select
        *,
        row_number() over (partition by record_hash order by source_file) as occurrence
    from feedback
    where coalesce(feedback_id, treatment_id, review_date::varchar) is null
),

answers as (
    select * from identified
    union all
    select * from unidentified
),

final as (
    select
        {{ surrogate_key([
            "'hospital'", 'patient_id', 'treatment_id', 'review_date', 'feedback_score',
            "array_to_string(repairs, ',')", "occurrence || coalesce(chr(31) || feedback_id, '')",
        ]) }} as patient_feedback_key,
        {{ member_key('hospital', 'patient', 'patient_id') }} as patient_key,
        patient_id,
        feedback_id,
        treatment_id as reported_treatment_id,
        review_date,
        feedback_score,
        repairs
    from answers
)

select * from final
