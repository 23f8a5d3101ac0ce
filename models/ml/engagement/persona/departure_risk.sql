-- How likely each person is to leave, as they are now: by the regression where it foretold
-- departures better than the weights, else by the weights. The regression says how many of such
-- people leave until the next day; the weights only say who comes first.
with people as (
    select * from {{ ref('departure_features') }}
    where is_current
),

coefficients as (
    select
        person_type,
        feature,
        max(value) filter (where component = 'coefficient')
        / max(value) filter (where component = 'scaler_scale') as weight,
        max(value) filter (where component = 'scaler_mean') as mean_value
    from {{ ref('departure_fit') }}
    where component in ('coefficient', 'scaler_mean', 'scaler_scale')
    group by person_type, feature
),

lines as (
    select
        person_type,
        array_agg(weight order by feature) as weights,
        sum(weight * mean_value order by feature) as offset_by_means
    from coefficients
    group by person_type
),

verdicts as (
    select
        person_type,
        max(text) filter (where feature = 'better') as better,
        max(value) filter (where component = 'intercept') as intercept
    from {{ ref('departure_fit') }}
    group by person_type
),

scored as (
    select
        people.person_type,
        people.person_key,
        people.as_of_date,
        people.risk_by_weights,
        1 / (1 + exp(-(
            intercept - offset_by_means
            + {{ dot_product('people.feature_values', 'lines.weights') }}
        ))) as risk_by_regression,
        coalesce(verdicts.better, 'weights') as better
    from people
    -- One row per person type in these.
    left join verdicts on people.person_type = verdicts.person_type
    left join lines on people.person_type = lines.person_type
),

final as (
    select
        * exclude (better),
        case
            when better = 'regression' and risk_by_regression is not null then 'regression'
            when risk_by_weights is not null then 'weights'
        end as risk_source,
        case risk_source
            when 'regression' then risk_by_regression when 'weights' then risk_by_weights
        end as risk_score
    from scored
)

select * from final
