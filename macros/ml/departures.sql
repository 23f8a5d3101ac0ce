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
