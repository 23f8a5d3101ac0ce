-- Encounters that count, one of each.
with encounters as (
    select * from {{ ref('base_growth__sg2_patient_flow') }}
),

final as (
    select
        patient_id,
        provider_id,
        provider_name,
        service_line,
        payer,
        admission_date,
        discharge_date,
        reported_length_of_stay_days,
        satisfaction_score,
        treatment_cost_amount,
        repairs,
        source_file,
        record_hash
    from encounters
    where rejection_reason is null and not is_duplicate
)

select * from final
