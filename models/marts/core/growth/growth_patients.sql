-- Growth's part of dim_patient: patients whom encounters and claims mention.
{{ config(
    materialized='incremental_by_key', key=['patient_id'],
    consumes=['base_growth__sg2_patient_flow(patient_id)', 'base_growth__ehr_claims(patient_id)'],
    publishes=[{'key': ['patient_key']}],
) }}

with mentioned as (
    select patient_id from {{ only_changed(ref('stg_growth__encounters')) }}
    union
    select patient_id from {{ only_changed(ref('stg_growth__claims')) }}
)

select
    {{ member_key('growth', 'patient', 'patient_id') }} as patient_key,
    patient_id,
    true as is_inferred
from mentioned
