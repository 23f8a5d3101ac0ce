-- What was hoped for when: a version holds from the build that first saw it.
with versions as (
    select * from {{ ref('growth_opportunities_versions') }}
),

final as (
    select
        opportunity_key,
        {{ growth_provider_key() }} as provider_key,
        provider_id,
        account_id,
        row_number() over (partition by opportunity_key order by dbt_valid_from, dbt_scd_id)
            as version_number,
        dbt_valid_from::timestamp as valid_from,
        dbt_valid_to::timestamp as valid_to,
        dbt_valid_to is null as is_current,
        as_of_date,
        pipeline_stage,
        lag(pipeline_stage) over (partition by opportunity_key order by dbt_valid_from, dbt_scd_id)
            as previous_pipeline_stage,
        opportunity_value_amount,
        deals_value_amount
    from versions
)

select * from final
