-- Each feature before and after filling and outlier treatment, over the people as they are now. Of few
-- people there are no figures.
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
        {% for name, figure in {
            'mean_value': 'avg(value)', 'deviation': 'stddev_pop(value)', 'lowest': 'min(value)',
            'first_quartile': 'quantile_cont(value, 0.25)', 'median_value': 'quantile_cont(value, 0.5)',
            'third_quartile': 'quantile_cont(value, 0.75)', 'highest': 'max(value)',
        }.items() %}
        {{ unless_few(figure, 'count(*)') }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from stages
    group by person_type, feature, stage
)

select * from final
order by person_type, feature, stage
