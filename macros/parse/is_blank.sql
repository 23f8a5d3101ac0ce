{# The words of var('null_words'). None may begin or end in a digit: the short cuts of is_blank and
   parse_id rely on it. #}
{% macro blank_placeholders() %}
    {{ return(var('null_words')) }}
{% endmacro %}


{# Every blank of Unicode, the zero-width one and the byte order mark too, for RE2. #}
{% macro blank_character() -%}
    [\s\v\pZ\x{85}\x{200b}\x{feff}]
{%- endmacro %}


{% macro is_blank(column) %}
    {{ return(adapter.dispatch('is_blank', 'wardhouse')(column)) }}
{% endmacro %}
