-- The hospital's part of dim_patient. It has no patient feed: its patients are those that its
-- treatments and surveys mention.
{{ config(
    materialized='incremental_by_key', key=['patient_key'],
    consumes=[
        'patient_provider_totals(patient_key)', 'patient_feedback_totals(patient_key)',
    ],
    publishes=[{'key': ['patient_key']}],
) }}

with mentioned as (
    select patient_key, patient_id
    from {{ only_changed(ref('patient_provider_totals')) }}
    union all
    select patient_key, patient_id
    from {{ only_changed(ref('patient_feedback_totals')) }}
),

final as (
    select
        patient_key,
        any_value(patient_id) as patient_id,
        true as is_inferred
    from mentioned
    group by patient_key
)

select * from final
