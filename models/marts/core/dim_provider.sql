-- Doctors that facts mention and no feed describes are inferred members, so no fact loses its row.
with doctors as (
    select * from {{ ref('stg_hospital__doctors') }}
),

mentioned as (
    select distinct provider_id from {{ ref('fct_patient_provider_treatments') }}
),

members as (
    select
        coalesce(doctors.doctor_id, mentioned.provider_id) as member_id,
        doctors.doctor_id is null as is_inferred,
        doctors.doctor_name,
        doctors.specialty
    from doctors
    -- doctor_id is unique in staging and provider_id by the distinct, so nothing fans out.
    full outer join mentioned on doctors.doctor_id = mentioned.provider_id
),

final as (
    select
        {{ surrogate_key([assigning_authority('hospital', 'provider'), 'member_id']) }}
            as provider_key,
        member_id as provider_id,
        {{ assigning_authority('hospital', 'provider') }} as assigning_authority,
        doctor_name as provider_name,
        specialty,
        is_inferred
    from members
)

select * from final
