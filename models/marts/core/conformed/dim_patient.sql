-- The hospital has no patient feed: its patients are those its treatments and surveys mention.
{{ follow_changes(
    'patient_key', [
        'fct_patient_provider_treatments.patient_key', 'fct_patient_feedback_totals.patient_key',
        'dim_patient_patient_flow.patient_key',
    ],
    rebuilt_by=[
        'base_telehealth__patients.record_hash',
        'base_telehealth__patient_feedback.record_hash',
        'base_telehealth__appointment_logs.record_hash',
        'base_telehealth__appointment_events.hash(appointment_id)',
    ],
) }}

with treated as (
    select distinct patient_key, patient_id from {{ ref('fct_patient_provider_treatments') }}
    {{ only_changed(of=ref('fct_patient_provider_treatments')) }}
),

surveyed as (
    select patient_key, patient_id from {{ ref('fct_patient_feedback_totals') }}
    {{ only_changed(of=ref('fct_patient_feedback_totals')) }}
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
    {{ only_changed() }}
),

patient_flow as (
    select
        *,
        {{ assigning_authority('patient_flow', 'patient') }} as assigning_authority
    from {{ ref('dim_patient_patient_flow') }}
    {{ only_changed(of=ref('dim_patient_patient_flow')) }}
),

final as (
    select
        patient_key,
        coalesce(hospital.patient_id, telehealth.patient_id, patient_flow.patient_id)
            as patient_id,
        coalesce(
            hospital.assigning_authority, telehealth.assigning_authority,
            patient_flow.assigning_authority
        ) as assigning_authority,
        coalesce(telehealth.age, patient_flow.age) as age,
        coalesce(telehealth.age_group, patient_flow.age_group) as age_group,
        coalesce(telehealth.gender, patient_flow.gender) as gender,
        telehealth.has_insurance,
        telehealth.registration_date,
        coalesce(telehealth.is_inferred, true) and coalesce(patient_flow.is_inferred, true)
            as is_inferred
    from hospital
    -- Unique on each side; on several only where the sources share an assigning authority.
    full outer join telehealth using (patient_key)
    full outer join patient_flow using (patient_key)
)

select * from final
