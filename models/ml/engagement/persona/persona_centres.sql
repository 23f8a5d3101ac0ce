-- The middle of each persona, in units of the features and in deviations from the mean of all.
with fitted as (
    select * from {{ ref('persona_fit') }}
),

scalers as (
    select
        person_type,
        feature,
        max(value) filter (component = 'scaler_mean') as mean_value,
        max(value) filter (component = 'scaler_scale') as scale_value
    from fitted
    where component in ('scaler_mean', 'scaler_scale')
    group by person_type, feature
),

final as (
    select
        fitted.person_type,
        fitted.level::integer as persona_number,
        fitted.feature,
        fitted.value * scalers.scale_value + scalers.mean_value as centre,
        fitted.value as standardised_difference,
        row_number() over (
            partition by fitted.person_type, fitted.level
            order by abs(fitted.value) desc nulls last, fitted.feature
        ) as distinction
    from fitted
    -- One row per person type and feature on the right.
    inner join scalers
        on fitted.person_type = scalers.person_type and fitted.feature = scalers.feature
    where fitted.component = 'centroid'
)

select * from final
