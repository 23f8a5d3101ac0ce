{# What spellings of one word share: letters and digits, in lower case. Reference tables of spellings
   hold them in this form. #}
{% macro duckdb__spelling(column) -%}
    regexp_replace(lower(strip_accents({{ column }})), '[^a-z0-9]+', '', 'g')
{%- endmacro %}
