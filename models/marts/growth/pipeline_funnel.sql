-- What is hoped for, what of it is likely by its stage, and what is won, side by side. Where the
-- CRM has no opportunity at all there is no funnel.
with stages as (
    {{ pipeline_stages() }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

final as (
    select
        stages.stage_order,
        stages.pipeline_stage,
        stages.win_probability,
        count(opportunities.opportunity_key) as n_opportunities,
        count(opportunities.opportunity_value_amount) as n_opportunity_value_known,
        sum(opportunities.opportunity_value_amount)::decimal(18, 2) as opportunity_value,
        {{ round_half_up(
            'sum(opportunities.opportunity_value_amount) * stages.win_probability::decimal(9, 6)', 2
        ) }} as weighted_value,
        sum(opportunities.deals_value_amount)::decimal(18, 2) as deals_value,
        sum(opportunities.deals_value_amount) filter (stages.is_won)::decimal(18, 2)
            as realised_value
    from stages
    -- An opportunity has one stage.
    left join opportunities on stages.pipeline_stage = opportunities.pipeline_stage
    where exists (select 1 from opportunities)
    group by stages.stage_order, stages.pipeline_stage, stages.win_probability
)

select * from final
order by stage_order
