-- Claims that count, one of each.
with claims as (
    select * from {{ ref('base_growth__ehr_claims') }}
),

final as (
    select
        claim_id,
        patient_id,
        provider_id,
        provider_name,
        visit_date,
        diagnosis_code,
        procedure_code,
        claim_status,
        claim_amount,
        reported_paid_amount,
        repairs,
        source_file,
        record_hash
    from claims
    where rejection_reason is null and not is_duplicate
)

select * from final
