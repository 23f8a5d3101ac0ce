-- Each feature before and after filling and outlier treatment, over the people as they are now. Of
-- few people there are no figures.
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
        {{ unless_few(ordered_mean('value'), 'count(*)') }} as mean_value,
        {{ unless_few(ordered_deviation('value'), 'count(*)') }} as deviation,
        {{ unless_few('min(value)', 'count(*)') }} as lowest,
        {{ unless_few('quantile_cont(value, 0.25)', 'count(*)') }} as first_quartile,
        {{ unless_few('quantile_cont(value, 0.5)', 'count(*)') }} as median_value,
        {{ unless_few('quantile_cont(value, 0.75)', 'count(*)') }} as third_quartile,
        {{ unless_few('max(value)', 'count(*)') }} as highest
    from stages
    group by person_type, feature, stage
)

select * from final
order by person_type, feature, stage
