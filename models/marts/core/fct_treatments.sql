-- Follows staging by record hash, so that an append costs what the append weighs. Its key is the
-- treatment's own identifier: nothing joins on treatments, and a hash would cost as much as two.
{{ follow_changes(
    'record_hash', ['base_hospital__patients_data_with_doctor.record_hash'],
    publishes=['patient_key'],
) }}

with treatments as (
    select * from {{ ref('stg_hospital__treatments') }}
    {{ only_changed() }}
),

final as (
    select
        {{ surrogate_key([assigning_authority('hospital', 'patient'), 'patient_id']) }}
            as patient_key,
        {{ surrogate_key([assigning_authority('hospital', 'provider'), 'doctor_id']) }}
            as provider_key,
        treatment_id,
        patient_id,
        doctor_id as provider_id,
        treatment_type,
        treatment_date,
        treatment_cost_amount,
        room_cost_amount,
        (treatment_cost_amount + room_cost_amount)::decimal(18, 2) as revenue_amount,
        repairs,
        record_hash
    from treatments
)

select * from final
