{% macro duckdb__minutes_between(start_at, end_at) -%}
    {{ round_half_up('date_diff(\'microsecond\', ' ~ start_at ~ ', ' ~ end_at ~ ') / 60e6', 2) }}
{%- endmacro %}
