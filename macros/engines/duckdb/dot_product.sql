{% macro duckdb__dot_product(values, weights) -%}
    list_dot_product({{ values }}, {{ weights }})
{%- endmacro %}
