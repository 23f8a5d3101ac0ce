-- A provider may have several opportunities: the stage shown is that of the largest. The pipeline's
-- return is over all deals, the realised one over those that are won, each with its own marketing.
{{ config(materialized='view') }}

with opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

totals as (
    select
        provider_key,
        count(*) as n_opportunities,
        sum(contact_count)::bigint as contact_count,
        arg_max(
            pipeline_stage,
            (
                coalesce(opportunity_value_amount, deals_value_amount, 0),
                stage_order,
                opportunity_key
            )
        ) as pipeline_stage,
        sum(opportunity_value_amount)::decimal(18, 2) as opportunity_value,
        sum(deals_value_amount)::decimal(18, 2) as deals_value,
        sum(marketing_cost_amount)::decimal(18, 2) as marketing_cost,
        sum(deals_value_amount) filter (is_won)::decimal(18, 2) as won_deals_value,
        sum(marketing_cost_amount) filter (is_won)::decimal(18, 2) as won_marketing_cost
    from opportunities
    group by provider_key
),

final as (
    select
        *,
        {{ return_on('deals_value', 'marketing_cost') }} as pipeline_roi,
        {{ return_on('won_deals_value', 'won_marketing_cost') }} as realised_roi
    from totals
)

select * from final
