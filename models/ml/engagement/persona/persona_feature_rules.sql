-- How each feature is filled and where its fences are, of the people as they are now. All features
-- are judged on the same rows at once, so that their order decides nothing. Where the middle half
-- of the people is alike there are no fences: they would make everybody else an outlier.
with people as (
    select * from {{ ref('persona_values') }}
    where is_current
),

strategies as (
    select * from {{ ref('persona_missing_strategies') }}
),

summed as (
    select
        person_type,
        feature,
        count(*) as n_people,
        count(value) as n_known,
        {{ ordered_mean('value') }} as mean_value,
        {{ ordered_deviation('value') }} as deviation,
        min(value) as lowest,
        quantile_cont(value, [0.25, 0.5, 0.75]) as quartiles,
        max(value) as highest
    from people
    group by person_type, feature
),

fenced as (
    select
        * exclude (quartiles),
        quartiles[1] as first_quartile,
        quartiles[2] as median_value,
        quartiles[3] as third_quartile,
        nullif(third_quartile - first_quartile, 0) as spread,
        first_quartile - 1.5 * spread as lower_fence,
        third_quartile + 1.5 * spread as upper_fence
    from summed
),

final as (
    select
        fenced.* exclude (spread),
        coalesce(strategies.missing_strategy, 'median') as missing_strategy,
        case coalesce(strategies.missing_strategy, 'median')
            when 'median' then fenced.median_value
            when 'mean' then fenced.mean_value
        end as fill_value,
        case
            when fenced.n_known = 0 then 'no value is known'
            when fenced.highest = fenced.lowest then 'all values are alike'
            when fenced.n_people - fenced.n_known
                > {{ var('persona_maximum_missing_share') }} * fenced.n_people
                then 'too many values are missing'
        end as unused_reason,
        unused_reason is null as is_used
    from fenced
    -- A feature is in strategies once.
    left join strategies on fenced.feature = strategies.feature
)

select * from final
