-- Opportunities that count, in the newest export of each. What names no account is the provider's own.
with opportunities as (
    select * from {{ ref('base_growth__salesforce_crm') }}
),

final as (
    select
        {{ surrogate_key(['provider_id', 'account_id']) }} as opportunity_key,
        provider_id,
        provider_name,
        account_id,
        as_of_date,
        pipeline_stage,
        contact_count,
        opportunity_value_amount,
        deals_value_amount,
        marketing_cost_amount,
        repairs,
        source_file,
        record_hash
    from opportunities
    where rejection_reason is null and not is_duplicate
)

select * from final
