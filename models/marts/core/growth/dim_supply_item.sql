-- Items that are counted.
with positions as (
    select * from {{ ref('fct_supply_positions') }}
),

final as (
    select
        supply_item_key,
        any_value(item_name) as item_name
    from positions
    group by supply_item_key
)

select * from final
