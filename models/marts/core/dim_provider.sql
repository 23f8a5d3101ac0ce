-- Providers that facts mention and no feed describes are inferred members, so no fact loses its row.
with doctors as (
    select
        {{ surrogate_key([assigning_authority('hospital', 'provider'), 'doctor_id']) }}
            as provider_key,
        *
    from {{ ref('stg_hospital__doctors') }}
),

treating as (
    select distinct provider_key, provider_id from {{ ref('fct_patient_provider_treatments') }}
),

hospital as (
    select
        coalesce(doctors.provider_key, treating.provider_key) as provider_key,
        coalesce(doctors.doctor_id, treating.provider_id) as provider_id,
        doctors.doctor_name,
        doctors.specialty,
        doctors.doctor_id is null as is_inferred
    from doctors
    -- doctor_id is unique in staging and provider_id by the distinct, so nothing fans out.
    full outer join treating on doctors.provider_key = treating.provider_key
),

described as (
    select
        {{ surrogate_key([assigning_authority('telehealth', 'provider'), 'provider_id']) }}
            as provider_key,
        *,
        nullif(concat_ws(' ', first_name, last_name), '') as provider_name
    from {{ ref('stg_telehealth__providers') }}
),

booked as (
    select provider_key, provider_id from {{ ref('fct_appointments') }}
    union
    select provider_key, provider_id from {{ ref('fct_appointment_feedback') }}
),

telehealth as (
    select
        coalesce(described.provider_key, booked.provider_key) as provider_key,
        coalesce(described.provider_id, booked.provider_id) as provider_id,
        described.* exclude (provider_key, provider_id),
        described.provider_key is null as is_inferred
    from described
    -- provider_id is unique in staging and in the union.
    full outer join booked on described.provider_key = booked.provider_key
),

final as (
    select
        coalesce(hospital.provider_key, telehealth.provider_key) as provider_key,
        coalesce(hospital.provider_id, telehealth.provider_id) as provider_id,
        case
            when hospital.provider_key is not null
                then {{ assigning_authority('hospital', 'provider') }}
            else {{ assigning_authority('telehealth', 'provider') }}
        end as assigning_authority,
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
    -- One person on both sides only where the two sources share an assigning authority.
    full outer join telehealth on hospital.provider_key = telehealth.provider_key
)

select * from final
