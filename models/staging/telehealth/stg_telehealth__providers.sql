-- Providers that count: accepted, and the last description of each.
with providers as (
    select * from {{ ref('base_telehealth__providers') }}
),

final as (
    select
        provider_id,
        first_name,
        last_name,
        specialty,
        years_experience,
        state,
        hourly_rate_amount,
        available_hours,
        is_active,
        repairs,
        source_file,
        record_hash
    from providers
    where rejection_reason is null and not is_duplicate
)

select * from final
