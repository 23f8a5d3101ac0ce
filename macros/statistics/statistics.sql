{# Bounds of the Wilson score interval of a proportion at 95 % (Wilson 1927), null where n is 0. #}
{% macro wilson_bound(successes, n, bound) -%}
    {%- set z = 1.959963984540054 -%}
    case when {{ n }} > 0 then {{ 'greatest(0, ' if bound == 'low' else 'least(1, ' }}
        (
            {{ successes }} + {{ z * z / 2 }}
            {{ '-' if bound == 'low' else '+' }} {{ z }} * sqrt(
                {{ successes }}::double * ({{ n }} - {{ successes }}) / {{ n }} + {{ z * z / 4 }}
            )
        ) / ({{ n }} + {{ z * z }})
    ) end
{%- endmacro %}


{# A proportion with the bounds of its Wilson interval: three columns, null where n is 0. #}
{% macro rate_with_interval(successes, n, name) -%}
    {{ successes }}::double / nullif({{ n }}, 0) as {{ name }},
    {{ wilson_bound(successes, n, 'low') }} as {{ name }}_low,
    {{ wilson_bound(successes, n, 'high') }} as {{ name }}_high
{%- endmacro %}


{# A number that Python found, null where it found none. #}
{% macro known_number(column) -%}
    nullif({{ column }}, 'nan'::double)
{%- endmacro %}


{#
    Mean and standard deviation of doubles, added up by size: in the order of rows, which builds
    leave to their threads, the last digit would differ from build to build.
#}
{% macro ordered_mean(value) -%}
    {{ adapter.dispatch('ordered_mean', 'wardhouse')(value) }}
{%- endmacro %}


{% macro ordered_deviation(value) -%}
    {{ adapter.dispatch('ordered_deviation', 'wardhouse')(value) }}
{%- endmacro %}
