-- Each feature over the people as they are now, before anything is filled or drawn in. Of few
-- people there are counts alone.
{{ config(meta={'publish': 'internal'}) }}

with rules as (
    select * from {{ ref('persona_feature_rules') }}
),

people as (
    select * from {{ ref('persona_values') }}
    where is_current
),

shapes as (
    select
        rules.person_type,
        rules.feature,
        {{ ordered_mean(
            'power((people.value - rules.mean_value) / nullif(rules.deviation, 0), 3)'
        ) }} as skew,
        count(*) filter (where {{ is_beyond_fences('people.value') }}) as n_outside
    from people
    -- One row per person type and feature on the right.
    inner join rules on people.person_type = rules.person_type and people.feature = rules.feature
    group by rules.person_type, rules.feature
),

final as (
    select
        rules.person_type,
        rules.feature,
        rules.n_people,
        rules.n_known,
        rules.n_people - rules.n_known as n_missing,
        {% for figure in [
            'rules.mean_value', 'rules.deviation', 'rules.lowest', 'rules.first_quartile', 'rules.median_value',
            'rules.third_quartile', 'rules.highest', 'shapes.skew', 'rules.lower_fence', 'rules.upper_fence',
            'rules.fill_value',
        ] %}
        {{ unless_few(figure, 'rules.n_known') }} as {{ figure.split('.')[1] }},
        {% endfor %}
        shapes.n_outside,
        rules.missing_strategy,
        rules.is_used,
        rules.unused_reason
    from rules
    -- One row per person type and feature on the right.
    inner join shapes on rules.person_type = shapes.person_type and rules.feature = shapes.feature
)

select * from final
order by person_type, feature
