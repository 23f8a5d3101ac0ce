-- The hospital's part of dim_provider. Doctors that facts mention and no feed describes are
-- inferred members, so no fact loses its row.
{{ config(materialized='view') }}

with doctors as (
    select * from {{ ref('stg_hospital__doctors') }}
),

mentioned as (
    select distinct provider_id from {{ ref('patient_provider_totals') }}
),

final as (
    select
        coalesce(doctors.doctor_id, mentioned.provider_id) as provider_id,
        doctors.doctor_name as provider_name,
        doctors.specialty,
        doctors.doctor_id is null as is_inferred
    from doctors
    -- doctor_id is unique in staging and provider_id by the distinct, so nothing fans out.
    full outer join mentioned on doctors.doctor_id = mentioned.provider_id
)

select
    {{ member_key('hospital', 'provider', 'provider_id') }} as provider_key,
    *
from final
