-- The one pass over treatments that doctors, patients and their marts are summed from. It groups by
-- the hospital's own identifiers, so that keys are hashed for pairs and not for treatments.
{{ config(
    materialized='incremental_by_key', key=['patient_id'],
    consumes=['base_hospital__patients_data_with_doctor(patient_id)'],
    publishes=[{'key': ['patient_key']}],
) }}

with treatments as (
    select * from {{ only_changed(ref('fct_treatments')) }}
),

summed as (
    select
        patient_id,
        provider_id,
        count(*) as n_treatments,
        sum(revenue_amount)::decimal(38, 2) as revenue_amount,
        count(*) filter (is_room_cost_unknown) as n_room_costs_unknown
    from treatments
    group by patient_id, provider_id
),

final as (
    select
        {{ member_key('hospital', 'patient', 'patient_id') }} as patient_key,
        {{ member_key('hospital', 'provider', 'provider_id') }} as provider_key,
        *
    from summed
)

select * from final
