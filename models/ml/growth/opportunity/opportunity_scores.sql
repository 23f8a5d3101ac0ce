-- What each fitted line says of each provider: the one fitted on all, and those that left one out.
-- A provider without one of the features has no score.
with features as (
    select * from {{ ref('opportunity_features') }}
),

fitted as (
    select * from {{ ref('opportunity_fit') }}
),

weights as (
    select level, feature, value as weight
    from fitted
    where component = 'line_weight'
),

ends as (
    select
        level,
        max(value) filter (component = 'line_intercept') as intercept,
        max(value) filter (component = 'line_error') as error
    from fitted
    where component in ('line_intercept', 'line_error')
    group by level
),

added as (
    select
        features.provider_key,
        weights.level,
        sum(weights.weight * features.value order by features.feature) as amount
    from features
    -- One weight per line and feature.
    inner join weights on features.feature = weights.feature
    group by features.provider_key, weights.level
    having count(features.value) = count(*)
),

final as (
    select
        {{ surrogate_key(['added.provider_key', 'added.level']) }} as opportunity_score_key,
        added.provider_key,
        added.level as left_out,
        ends.intercept + added.amount as amount,
        ends.error
    from added
    -- One row per line on the right.
    inner join ends on added.level = ends.level
)

select * from final
