-- An opportunity as the newest export has it.
with opportunities as (
    select * from {{ ref('stg_growth__opportunities') }}
),

stages as (
    {{ pipeline_stages() }}
),

final as (
    select
        opportunities.opportunity_key,
        {{ growth_provider_key('opportunities.provider_id') }} as provider_key,
        opportunities.provider_id,
        opportunities.account_id,
        opportunities.as_of_date,
        opportunities.pipeline_stage,
        stages.stage_order,
        stages.win_probability,
        stages.is_won,
        stages.is_lost,
        opportunities.contact_count,
        opportunities.opportunity_value_amount,
        opportunities.deals_value_amount,
        opportunities.marketing_cost_amount,
        opportunities.repairs
    from opportunities
    -- A stage is in stages once.
    inner join stages on opportunities.pipeline_stage = stages.pipeline_stage
)

select * from final
