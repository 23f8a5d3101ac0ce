-- Treatments that count: accepted, and one of equal records.
with treatments as (
    select * from {{ ref('base_hospital__patients_data_with_doctor') }}
),

final as (
    select
        treatment_id,
        patient_id,
        doctor_id,
        treatment_type,
        treatment_cost_amount,
        room_cost_amount,
        treatment_date,
        source_file,
        record_hash,
        repairs
    from treatments
    where rejection_reason is null and not is_duplicate
)

select * from final
