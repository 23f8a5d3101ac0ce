-- A payment counts where the claim is paid and no more than claimed. What is claimed always counts.
with claims as (
    select
        *,
        claim_status = 'Paid' as is_paid,
        list_contains(repairs, 'claim_paid:exceeds_claim') as is_overpaid,
        list_contains(repairs, 'claim_paid:not_paid_by_status') as is_paid_unexpectedly
    from {{ ref('stg_growth__claims') }}
),

final as (
    select
        {{ surrogate_key(['claim_id']) }} as claim_key,
        claim_id,
        {{ member_key('growth', 'patient', 'patient_id') }} as patient_key,
        {{ growth_provider_key() }} as provider_key,
        patient_id,
        provider_id,
        visit_date,
        diagnosis_code,
        procedure_code,
        claim_status,
        claim_amount,
        reported_paid_amount,
        case
            when is_paid and not is_overpaid then reported_paid_amount
            else 0
        end::decimal(18, 2) as paid_amount,
        is_paid,
        claim_status = 'Denied' as is_denied,
        claim_status = 'Pending' as is_pending,
        is_overpaid,
        is_paid_unexpectedly,
        repairs
    from claims
)

select * from final
