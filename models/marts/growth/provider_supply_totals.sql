-- The stock as it was last counted, item by item.
{{ config(materialized='view') }}

with positions as (
    select * from {{ ref('fct_supply_positions') }}
    where is_current
),

final as (
    select
        provider_key,
        sum(daily_usage)::decimal(18, 2) as daily_usage,
        sum(quantity_on_hand)::decimal(18, 2) as quantity_on_hand,
        count(*) as n_supply_items,
        count(*) filter (is_at_reorder_point) as n_items_to_reorder
    from positions
    group by provider_key
)

select * from final
