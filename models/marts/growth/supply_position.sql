-- The stock as it was last counted. No feed tells a price, so that what is at risk has none.
with positions as (
    select * from {{ ref('fct_supply_positions') }}
    where is_current
),

providers as (
    select * from {{ ref('growth_providers') }}
),

final as (
    select
        positions.provider_key,
        providers.provider_name,
        positions.item_name,
        positions.position_date,
        positions.quantity_on_hand,
        positions.daily_usage,
        positions.reorder_point,
        positions.days_of_cover,
        positions.is_at_reorder_point
    from positions
    -- provider_key is unique on the right.
    inner join providers on positions.provider_key = providers.provider_key
)

select * from final
order by days_of_cover asc nulls last, provider_name asc, item_name asc
