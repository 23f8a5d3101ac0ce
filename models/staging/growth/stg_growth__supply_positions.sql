-- Supply positions that count, one of each provider, item and day.
with positions as (
    select * from {{ ref('base_growth__inventory_usage') }}
),

final as (
    select
        provider_id,
        provider_name,
        item_name,
        position_date,
        quantity_on_hand,
        daily_usage,
        reorder_point,
        repairs,
        source_file,
        record_hash
    from positions
    where rejection_reason is null and not is_duplicate
)

select * from final
