{% macro parse_text(column) %}
    {{ return(adapter.dispatch('parse_text', 'wardhouse')(column)) }}
{% endmacro %}


{% macro without_outer_blanks(column) -%}
    {%- set blank = blank_character() -%}
    regexp_replace({{ column }}, '^{{ blank }}+|{{ blank }}+$', '', 'g')
{%- endmacro %}


{# A number from 0 to a highest, else null: in a list of one, so that it is written and read once. #}
{% macro up_to(highest, number) -%}
    list_filter([{{ number }}], lambda found : found between 0 and {{ highest }})[1]
{%- endmacro %}


{% macro title_case(column) %}
    {{ return(adapter.dispatch('title_case', 'wardhouse')(column)) }}
{% endmacro %}
