-- What each feature weighs, as fitted on all providers that are learned from.
with fitted as (
    select * from {{ ref('opportunity_fit') }}
),

verdicts as (
    select
        max(value) filter (feature = 'n_fitted')::bigint as n_fitted,
        {{ fit_is_reliable() }} as is_reliable,
        max(text) filter (feature = 'verdict') as verdict
    from fitted
),

weights as (
    select
        feature,
        max(value) filter (component = 'scaler_mean') as feature_mean,
        max(value) filter (component = 'scaler_scale') as feature_deviation,
        max(value) filter (component = 'coefficient') as amount_per_deviation,
        max(value) filter (component = 'coefficient')
        / max(value) filter (component = 'scaler_scale') as amount_per_unit
    from fitted
    where component in ('scaler_mean', 'scaler_scale', 'coefficient')
    group by feature
),

final as (
    select
        weights.*,
        verdicts.*
    from weights
    -- One row of verdicts.
    cross join verdicts
)

select * from final
