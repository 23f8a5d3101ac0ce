-- Engagement's part of dim_provider: physicians of whom there is a profile.
{{ config(materialized='view') }}

with mentioned as (
    select distinct person_id as provider_id
    from {{ ref('stg_engagement__profiles') }}
    where person_type = 'physician'
)

select
    {{ member_key('engagement', 'provider', 'provider_id') }} as provider_key,
    provider_id,
    true as is_inferred
from mentioned
