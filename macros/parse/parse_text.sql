{% macro parse_text(column) %}
    {{ return(adapter.dispatch('parse_text', 'wardhouse')(column)) }}
{% endmacro %}


{# A word or a sentence as somebody wrote it, without the blanks around it; null where it says nothing. #}
{% macro duckdb__parse_text(column) -%}
    case
        when not {{ is_blank(column) }} then trim({{ with_plain_blanks(column) }})
    end
{%- endmacro %}


{# A number where less than nothing makes no sense: null below zero. #}
{% macro not_below_zero(number) -%}
    list_filter([{{ number }}], lambda found : found >= 0)[1]
{%- endmacro %}
