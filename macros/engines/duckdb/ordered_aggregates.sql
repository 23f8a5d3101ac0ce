{% macro duckdb__ordered_mean(value) -%}
    avg({{ value }} order by {{ value }})
{%- endmacro %}


{% macro duckdb__ordered_deviation(value) -%}
    stddev_pop({{ value }} order by {{ value }})
{%- endmacro %}
