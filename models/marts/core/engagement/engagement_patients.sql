-- Engagement's part of dim_patient: patients of whom there is a profile.
{{ config(
    materialized='incremental_by_key', key=['patient_id'],
    consumes=['base_engagement__healthcare_data(person_id)'],
    publishes=[{'key': ['patient_key']}],
) }}

with mentioned as (
    select distinct person_id as patient_id
    from {{ only_changed(ref('stg_engagement__profiles'), key=['person_id']) }}
    where person_type = 'patient'
)

select
    {{ member_key('engagement', 'patient', 'patient_id') }} as patient_key,
    patient_id,
    true as is_inferred
from mentioned
