-- The hospital has no patient feed: its patients are those its treatments and surveys mention.
-- The telehealth platform describes its own; whom only its facts mention is an inferred member.
with treated as (
    select distinct patient_key, patient_id from {{ ref('fct_patient_provider_treatments') }}
),

surveyed as (
    select patient_key, patient_id from {{ ref('fct_patient_feedback_totals') }}
),

hospital as (
    select
        coalesce(treated.patient_key, surveyed.patient_key) as patient_key,
        coalesce(treated.patient_id, surveyed.patient_id) as patient_id
    from treated
    -- Both sides hold a patient once.
    full outer join surveyed on treated.patient_key = surveyed.patient_key
),

described as (
    select
        {{ surrogate_key([assigning_authority('telehealth', 'patient'), 'patient_id']) }}
            as patient_key,
        *
    from {{ ref('stg_telehealth__patients') }}
),

mentioned as (
    select patient_key, patient_id from {{ ref('fct_appointments') }}
    union
    select patient_key, patient_id from {{ ref('fct_appointment_feedback') }}
),

telehealth as (
    select
        coalesce(described.patient_key, mentioned.patient_key) as patient_key,
        coalesce(described.patient_id, mentioned.patient_id) as patient_id,
        described.* exclude (patient_key, patient_id),
        described.patient_key is null as is_inferred
    from described
    -- patient_id is unique in staging and in the union.
    full outer join mentioned on described.patient_key = mentioned.patient_key
),

final as (
    select
        coalesce(hospital.patient_key, telehealth.patient_key) as patient_key,
        coalesce(hospital.patient_id, telehealth.patient_id) as patient_id,
        case
            when hospital.patient_key is not null
                then {{ assigning_authority('hospital', 'patient') }}
            else {{ assigning_authority('telehealth', 'patient') }}
        end as assigning_authority,
        telehealth.age,
        telehealth.age_group,
        telehealth.gender,
        telehealth.has_insurance,
        telehealth.registration_date,
        coalesce(telehealth.is_inferred, true) as is_inferred
    from hospital
    -- One person on both sides only where the two sources share an assigning authority.
    full outer join telehealth on hospital.patient_key = telehealth.patient_key
)

select * from final
