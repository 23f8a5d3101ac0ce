{% macro parse_text(column) %}
    {{ return(adapter.dispatch('parse_text', 'wardhouse')(column)) }}
{% endmacro %}


{% macro duckdb__parse_text(column) -%}
    case when not {{ is_blank(column) }} then {{ without_outer_blanks(column) }} end
{%- endmacro %}


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


{# One spelling for every case and blank: a name that no seed knows is still one name. #}
{% macro duckdb__title_case(column) -%}
    array_to_string(
        list_transform(
            regexp_split_to_array(lower({{ parse_text(column) }}), '{{ blank_character() }}+'),
            lambda word : upper(word[1]) || word[2:]
        ),
        ' '
    )
{%- endmacro %}
