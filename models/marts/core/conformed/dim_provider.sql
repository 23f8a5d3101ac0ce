-- Doctors that facts mention and no feed describes are inferred members, so no fact loses its row.
with doctors as (
    select * from {{ ref('stg_hospital__doctors') }}
),

mentioned as (
    select distinct provider_id from {{ ref('fct_patient_provider_treatments') }}
),

hospital as (
    select
        {{ surrogate_key([
            assigning_authority('hospital', 'provider'),
            'coalesce(doctors.doctor_id, mentioned.provider_id)',
        ]) }} as provider_key,
        coalesce(doctors.doctor_id, mentioned.provider_id) as provider_id,
        {{ assigning_authority('hospital', 'provider') }} as assigning_authority,
        doctors.doctor_name,
        doctors.specialty,
        doctors.doctor_id is null as is_inferred
    from doctors
    -- doctor_id is unique in staging and provider_id by the distinct, so nothing fans out.
    full outer join mentioned on doctors.doctor_id = mentioned.provider_id
),

telehealth as (
    select
        *,
        {{ assigning_authority('telehealth', 'provider') }} as assigning_authority
    from {{ ref('dim_provider_telehealth') }}
),

final as (
    select
        coalesce(hospital.provider_key, telehealth.provider_key) as provider_key,
        coalesce(hospital.provider_id, telehealth.provider_id) as provider_id,
        coalesce(hospital.assigning_authority, telehealth.assigning_authority)
            as assigning_authority,
        coalesce(hospital.doctor_name, telehealth.provider_name) as provider_name,
        coalesce(hospital.specialty, telehealth.specialty) as specialty,
        telehealth.years_experience,
        telehealth.state,
        telehealth.hourly_rate_amount,
        telehealth.available_hours,
        telehealth.is_active,
        coalesce(hospital.is_inferred, true) and coalesce(telehealth.is_inferred, true)
            as is_inferred
    from hospital
    -- Unique on either side; on both only where the two sources share an assigning authority.
    full outer join telehealth on hospital.provider_key = telehealth.provider_key
)

select * from final
