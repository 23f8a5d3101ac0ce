-- A view: staging holds each treatment once, checked while it loaded, and a second copy of the
-- hospital's largest table would cost as much again. Keys are computed where they are asked for.
{{ config(materialized='view') }}

with treatments as (
    select * from {{ ref('stg_hospital__treatments') }}
),

final as (
    select
        {{ member_key('hospital', 'patient', 'patient_id') }} as patient_key,
        {{ member_key('hospital', 'provider', 'doctor_id') }} as provider_key,
        treatment_id,
        patient_id,
        doctor_id as provider_id,
        treatment_type,
        treatment_date,
        treatment_cost_amount,
        room_cost_amount,
        (treatment_cost_amount + room_cost_amount)::decimal(18, 2) as revenue_amount,
        list_has_any(repairs, ['room_cost:imputed_zero', 'room_cost:unread_as_zero'])
            as is_room_cost_unknown,
        repairs
    from treatments
)

select * from final
