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


{# Each day of the feed and the one after it, by person type: null after the last. #}
{% macro days_of_feed(profiles) %}
    select
        person_type,
        as_of_date,
        lead(as_of_date) over (partition by person_type order by as_of_date) as next_date
    from {{ profiles }}
    where as_of_date is not null
    group by person_type, as_of_date
{% endmacro %}
