-- The telehealth platform's part of dim_patient. Whom only its facts mention is an inferred
-- member.
{{ config(
    materialized='incremental_by_key', key=['patient_id'],
    consumes=[
        'base_telehealth__patients(patient_id)', 'base_telehealth__patient_feedback(patient_id)',
        'fct_appointments(patient_id)', 'fct_appointment_events(patient_id)',
    ],
    publishes=[{'key': ['patient_key']}],
) }}

with described as (
    select * from {{ only_changed(ref('stg_telehealth__patients')) }}
),

mentioned as (
    select patient_id from {{ only_changed(ref('fct_appointments')) }}
    union
    select patient_id from {{ only_changed(ref('stg_telehealth__appointment_feedback')) }}
    union
    select patient_id from {{ only_changed(ref('fct_appointment_events')) }}
    where patient_id is not null
),

final as (
    select
        coalesce(described.patient_id, mentioned.patient_id) as patient_id,
        described.age,
        described.age_group,
        described.gender,
        described.has_insurance,
        described.registration_date,
        described.patient_id is null as is_inferred
    from described
    -- patient_id is unique in staging and in the union.
    full outer join mentioned on described.patient_id = mentioned.patient_id
)

select
    {{ member_key('telehealth', 'patient', 'patient_id') }} as patient_key,
    *
from final
