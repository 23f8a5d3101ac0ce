{% macro duckdb__name_similarity(name, other) -%}
    jaro_winkler_similarity({{ name }}, {{ other }})
{%- endmacro %}
