{# What the ways to write a person's name share: `Smith, John` and `Dr. John Smith` are `john smith`. #}
{% macro parse_name(column) %}
    {{ return(adapter.dispatch('parse_name', 'wardhouse')(column)) }}
{% endmacro %}


{# A word of an open list: look-alike hyphens and blanks are none of its own, nor is its case. #}
{% macro parse_word(column) -%}
    {{ title_case(
        "regexp_replace(nfc_normalize(" ~ column ~ "), '" ~ look_alike_dash() ~ "', '-', 'g')"
    ) }}
{%- endmacro %}
