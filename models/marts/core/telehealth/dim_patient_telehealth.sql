-- The telehealth platform's part of dim_patient. Whom only its facts mention is an inferred
-- member.
with described as (
    select * from {{ ref('stg_telehealth__patients') }}
),

mentioned as (
    select patient_id from {{ ref('fct_appointments') }}
    union
    select patient_id from {{ ref('fct_appointment_feedback') }}
    union
    select patient_id from {{ ref('fct_appointment_events') }}
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
