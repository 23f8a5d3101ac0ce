-- How far each person is below the best tenth of their type, as the best are now: of the way from
-- the lowest possible value to their mean, the share that is missing. The risk by weights is the
-- mean of the gaps that are known, weighed by the seed risk_weights: the worse, the nearer to
-- leaving.
{% set measures = engagement_measures() %}

with profiles as (
    select * from {{ ref('fct_engagement') }}
),

tenths as (
    select
        person_type,
        {% for measure in measures %}
        quantile_cont({{ measure }}, 0.9) as tenth_{{ measure }},
        {% endfor %}
    from profiles
    where is_current
    group by person_type
),

best as (
    select
        profiles.person_type,
        {% for measure in measures %}
        avg({{ measure }}::decimal(18, 6))
        filter (where {{ measure }} >= tenth_{{ measure }}) as best_{{ measure }},
        {% endfor %}
    from profiles
    -- One row per person type on the right.
    inner join tenths on profiles.person_type = tenths.person_type
    where profiles.is_current
    group by profiles.person_type
),

weights as (
    select
    {% for measure in measures %}
        coalesce(max(weight) filter (where measure = '{{ measure }}'), 0) as weight_{{ measure }},
    {% endfor %}
    from {{ ref('risk_weights') }}
),

gaps as (
    select
        profiles.*,
        {% for measure in measures %}
        {{ gap_to_best(measure) }} as gap_{{ measure }},
        {% endfor %}
    from profiles
    -- One row per person type on the right.
    inner join best on profiles.person_type = best.person_type
),

final as (
    select
        gaps.person_type,
        gaps.person_key,
        gaps.as_of_date,
        gaps.is_current,
        gaps.left_date,
        {% for measure in measures %}
        gaps.gap_{{ measure }},
        {% endfor %}
        {{ weighted_gap(measures) }} as risk_by_weights
    from gaps
    cross join weights -- one row
)

select * from final
