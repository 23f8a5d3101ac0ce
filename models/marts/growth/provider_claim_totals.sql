-- Rates are of all claims, those still pending with them; what is collected is of all that is
-- claimed.
{{ config(materialized='view') }}

with claims as (
    select * from {{ ref('fct_claims') }}
),

totals as (
    select
        provider_key,
        count(*) as total_visits,
        sum(claim_amount)::decimal(18, 2) as total_claim_amount,
        coalesce(sum(paid_amount), 0)::decimal(18, 2) as paid_amount,
        count(*) filter (is_denied) as n_claims_denied,
        count(*) filter (is_pending) as n_claims_pending
    from claims
    group by provider_key
),

final as (
    select
        *,
        paid_amount::double / nullif(total_claim_amount, 0)::double as collection_rate,
        {{ rate_with_interval('n_claims_denied', 'total_visits', 'denial_rate') }},
        n_claims_pending / total_visits as pending_share
    from totals
)

select * from final
