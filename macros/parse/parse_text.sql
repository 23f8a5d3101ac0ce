{% macro parse_text(column) %}
    {{ return(adapter.dispatch('parse_text', 'wardhouse')(column)) }}
{% endmacro %}


{% macro without_outer_blanks(column) -%}
    {%- set blank = blank_character() -%}
    regexp_replace({{ column }}, '^{{ blank }}+|{{ blank }}+$', '', 'g')
{%- endmacro %}


{# In a list of one, so that the number is written once and read once. #}
{% macro not_below_zero(number) -%}
    list_filter([{{ number }}], lambda found : found >= 0)[1]
{%- endmacro %}


{% macro title_case(column) %}
    {{ return(adapter.dispatch('title_case', 'wardhouse')(column)) }}
{% endmacro %}
