-- Each feature before and after filling and outlier treatment, over the people as they are now.
{{ config(meta={'publish': 'internal'}) }}

with delivered as (
    select
        person_type,
        feature,
        'delivered' as stage,
        value
    from {{ ref('persona_values') }}
    where is_current and value is not null
),

fitted as (
    select
        person_type,
        unnest(features) as feature,
        'fitted' as stage,
        unnest(feature_values) as value
    from {{ ref('persona_vectors') }}
    where is_current and is_in_fit
),

stages as (
    select * from delivered
    union all
    select * from fitted
),

final as (
    select
        person_type,
        feature,
        stage,
        count(*) as n_values,
        avg(value) as mean_value,
        stddev_pop(value) as deviation,
        min(value) as lowest,
        quantile_cont(value, 0.25) as first_quartile,
        quantile_cont(value, 0.5) as median_value,
        quantile_cont(value, 0.75) as third_quartile,
        max(value) as highest
    from stages
    group by person_type, feature, stage
)

select * from final
order by person_type, feature, stage
