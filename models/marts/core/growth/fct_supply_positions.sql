-- A stock without daily use lasts, and has no days of cover.
with positions as (
    select
        *,
        position_date = max(position_date) over (partition by provider_id, item_name) as is_current
    from {{ ref('stg_growth__supply_positions') }}
),

final as (
    select
        {{ surrogate_key(['provider_id', 'item_name', 'position_date']) }} as supply_position_key,
        {{ growth_provider_key() }} as provider_key,
        {{ surrogate_key(['item_name']) }} as supply_item_key,
        provider_id,
        item_name,
        position_date,
        quantity_on_hand,
        daily_usage,
        reorder_point,
        quantity_on_hand::double / nullif(daily_usage, 0)::double as days_of_cover,
        quantity_on_hand <= reorder_point as is_at_reorder_point,
        is_current,
        repairs
    from positions
)

select * from final
