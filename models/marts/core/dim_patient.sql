-- The hospital has no patient feed: its patients are those its treatments and surveys mention.
with treated as (
    select distinct patient_key, patient_id from {{ ref('fct_patient_provider_treatments') }}
),

surveyed as (
    select patient_key, patient_id from {{ ref('fct_patient_feedback_totals') }}
),

hospital as (
    select
        coalesce(treated.patient_key, surveyed.patient_key) as patient_key,
        coalesce(treated.patient_id, surveyed.patient_id) as patient_id,
        {{ assigning_authority('hospital', 'patient') }} as assigning_authority
    from treated
    -- Both sides hold a patient once.
    full outer join surveyed on treated.patient_key = surveyed.patient_key
),

telehealth as (
    select
        *,
        {{ assigning_authority('telehealth', 'patient') }} as assigning_authority
    from {{ ref('dim_patient_telehealth') }}
),

final as (
    select
        coalesce(hospital.patient_key, telehealth.patient_key) as patient_key,
        coalesce(hospital.patient_id, telehealth.patient_id) as patient_id,
        coalesce(hospital.assigning_authority, telehealth.assigning_authority)
            as assigning_authority,
        telehealth.age,
        telehealth.age_group,
        telehealth.gender,
        telehealth.has_insurance,
        telehealth.registration_date,
        coalesce(telehealth.is_inferred, true) as is_inferred
    from hospital
    -- Unique on either side; on both only where the two sources share an assigning authority.
    full outer join telehealth on hospital.patient_key = telehealth.patient_key
)

select * from final
