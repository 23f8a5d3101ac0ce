-- What was known of a provider when: a version holds from the build that first saw it.
with versions as (
    select * from {{ ref('telehealth_providers_versions') }}
),

final as (
    select
        {{ member_key('telehealth', 'provider', 'provider_id') }} as provider_key,
        provider_id,
        row_number() over (partition by provider_id order by dbt_valid_from, dbt_scd_id)
            as version_number,
        dbt_valid_from::timestamp as valid_from,
        dbt_valid_to::timestamp as valid_to,
        dbt_valid_to is null as is_current,
        nullif(concat_ws(' ', first_name, last_name), '') as provider_name,
        specialty,
        years_experience,
        state,
        hourly_rate_amount,
        available_hours,
        is_active
    from versions
)

select * from final
