-- The hospital has no patient feed: its patients are those its treatments and surveys mention.
with treated as (
    select distinct patient_key, patient_id from {{ ref('fct_patient_provider_treatments') }}
),

surveyed as (
    select patient_key, patient_id from {{ ref('fct_patient_feedback_totals') }}
),

final as (
    select
        coalesce(treated.patient_key, surveyed.patient_key) as patient_key,
        coalesce(treated.patient_id, surveyed.patient_id) as patient_id,
        {{ assigning_authority('hospital', 'patient') }} as assigning_authority,
        true as is_inferred
    from treated
    -- Both sides hold a patient once.
    full outer join surveyed on treated.patient_key = surveyed.patient_key
)

select * from final
