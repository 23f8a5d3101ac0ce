{# Of the way from the lowest possible value to the mean of the best, the share that is missing; 0 for
   whoever is as good, and where the best are at the lowest. #}
{% macro gap_to_best(measure) -%}
    {%- set lowest = var('engagement_ranges')[measure][0] -%}
    case
        when {{ measure }} >= best_{{ measure }} then 0
        else (best_{{ measure }} - {{ measure }}) / nullif(best_{{ measure }} - {{ lowest }}, 0)
    end
{%- endmacro %}


{# Mean of the gaps that are known, by their weights; null where none is known. #}
{% macro weighted_gap(measures) -%}
    (
        {% for measure in measures %}
        {{ '+ ' if not loop.first }}coalesce(gap_{{ measure }} * weight_{{ measure }}, 0)
        {% endfor %}
    ) / nullif(
        {% for measure in measures %}
        {{ '+ ' if not loop.first }}case when gap_{{ measure }} is null then 0 else weight_{{ measure }} end
        {% endfor %}, 0
    )
{%- endmacro %}


{# Sum of the products of two lists, place by place. #}
{% macro dot_product(values, weights) %}
    {{ return(adapter.dispatch('dot_product', 'wardhouse')(values, weights)) }}
{% endmacro %}


{# A value as the share of its range, 0 to 1. #}
{% macro rescaled(value, value_range) -%}
    ({{ value }} - {{ value_range[0] }})::double / ({{ value_range[1] }} - {{ value_range[0] }})
{%- endmacro %}


{# How far a lifetime value looks, in years and a rate of discount: the vars, refused where they are none. #}
{% macro lifetime_horizon() %}
    {% set years, rate = var('persona_horizon_years'), var('persona_discount_rate') %}
    {% if not 0 < years | float(0) <= 100 %}
        {{ exceptions.raise_compiler_error(
            "persona_horizon_years is " ~ years ~ ": give years above 0, at most 100, such as 5"
        ) }}
    {% endif %}
    {% if not 0 <= rate | float(-1) < 1 %}
        {{ exceptions.raise_compiler_error(
            "persona_discount_rate is " ~ rate ~ ": give a share from 0 to below 1, such as 0.03"
        ) }}
    {% endif %}
    {{ return({'years': years, 'rate': rate}) }}
{% endmacro %}


{#
    Each day of the feed by person type, the next day that tells who is gone, and the last one that does.
    A day does so that names again at least half of the people of the day before who are not told to have
    left: not one of a few records, and none where each person has days of their own.
#}
{% macro days_of_feed(profiles) %}
    with named as (
        select
            person_type,
            as_of_date,
            left_date is null as is_expected,
            lead(as_of_date) over (partition by person_key order by as_of_date) as again_date
        from {{ profiles }}
        where as_of_date is not null
    ),

    counted as (
        select
            person_type,
            as_of_date,
            again_date,
            count(*) filter (where is_expected) as n_expected
        from named
        group by person_type, as_of_date, again_date
    ),

    followed as (
        select
            person_type,
            as_of_date,
            lead(as_of_date) over (partition by person_type order by as_of_date) as following_date
        from counted
        group by person_type, as_of_date
    ),

    held as (
        select
            followed.*,
            coalesce(sum(counted.n_expected) filter (where counted.again_date = followed.following_date), 0)
            >= 0.5 * sum(counted.n_expected) as tells_who_is_gone
        from followed
        inner join counted
            on followed.person_type = counted.person_type and followed.as_of_date = counted.as_of_date
        group by followed.person_type, followed.as_of_date, followed.following_date
    )

    select
        person_type,
        as_of_date,
        min(following_date) filter (where tells_who_is_gone) over (
            partition by person_type order by as_of_date
            rows between current row and unbounded following
        ) as next_date,
        max(following_date) filter (where tells_who_is_gone) over (partition by person_type) as last_date
    from held
{% endmacro %}
