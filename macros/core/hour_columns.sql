{# What an hour says of a measure: how often it is known, its sums, median and 90th percentile. #}
{% macro hour_columns(relation, measure, name) -%}
    coalesce({{ relation }}.n_known, 0) as n_{{ name }}_known,
    coalesce({{ relation }}.total, 0)::decimal(38, 4) as {{ measure }}_total,
    coalesce({{ relation }}.square_total, 0)::decimal(38, 8) as {{ measure }}_square_total,
    {{ quantile_columns(relation ~ '.quantiles', measure) }}
{%- endmacro %}


{# Median and 90th percentile of a measure, from a list of the two. #}
{% macro quantile_columns(quantiles, measure) -%}
    {{ round_half_up(quantiles ~ '[1]', 2) }} as median_{{ measure }},
    {{ round_half_up(quantiles ~ '[2]', 2) }} as ninetieth_percentile_{{ measure }}
{%- endmacro %}
