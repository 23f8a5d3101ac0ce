-- All that the tests behind growth's insights are made of. Amounts are in thousands.
with providers as (
    select
        provider_name,
        n_encounters,
        opportunity_value / 1000 as opportunity,
        avg_cost / 1000 as mean_cost
    from {{ ref('provider_metrics') }}
),

encounters as (
    select
        nullif(names.provider_name, 'Unknown') as provider_name,
        nullif(encounters.service_line, 'Unknown') as service_line,
        encounters.satisfaction_score
    from {{ ref('fct_encounters') }} as encounters
    -- provider_key is unique on the right.
    inner join {{ ref('growth_providers') }} as names
        on encounters.provider_key = names.provider_key
),

months as (
    select
        names.provider_name,
        months.n_encounters
    from {{ ref('referral_months') }} as months
    -- provider_key is unique on the right.
    inner join {{ ref('growth_providers') }} as names on months.provider_key = names.provider_key
),

claims as (
    select
        nullif(names.provider_name, 'Unknown') as provider_name,
        claims.is_denied::integer as is_denied
    from {{ ref('fct_claims') }} as claims
    -- provider_key is unique on the right.
    inner join {{ ref('growth_providers') }} as names on claims.provider_key = names.provider_key
),

final as (
    {{ insight_sums('cost_opportunity', 'providers', "'all'", 'opportunity', x='mean_cost') }}
    union all
    {{ insight_sums('promise_volume', 'providers', "'all'", 'n_encounters', x='opportunity') }}
    union all
    {{ insight_sums('provider_satisfaction', 'encounters', 'provider_name', 'satisfaction_score') }}
    union all
    {{ insight_sums(
        'service_line_satisfaction', 'encounters', 'service_line', 'satisfaction_score'
    ) }}
    union all
    {{ insight_sums('provider_denials', 'claims', 'provider_name', 'is_denied') }}
    union all
    {{ insight_sums('referral_volume', 'months', 'provider_name', 'n_encounters') }}
)

select * from final
order by insight, group_name
