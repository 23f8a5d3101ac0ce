-- The telehealth platform's part of dim_provider. Whom only its facts mention is an inferred
-- member.
{{ config(materialized='view') }}

with described as (
    select * from {{ ref('stg_telehealth__providers') }}
),

mentioned as (
    select provider_id from {{ ref('fct_appointments') }}
    union
    select provider_id from {{ ref('fct_appointment_feedback') }}
    union
    select provider_id from {{ ref('fct_appointment_events') }}
    where provider_id is not null
),

final as (
    select
        coalesce(described.provider_id, mentioned.provider_id) as provider_id,
        nullif(concat_ws(' ', described.first_name, described.last_name), '') as provider_name,
        described.specialty,
        described.years_experience,
        described.state,
        described.hourly_rate_amount,
        described.available_hours,
        described.is_active,
        described.provider_id is null as is_inferred
    from described
    -- provider_id is unique in staging and in the union.
    full outer join mentioned on described.provider_id = mentioned.provider_id
)

select
    {{ member_key('telehealth', 'provider', 'provider_id') }} as provider_key,
    *
from final
