{# None begins or ends in a digit: the short cuts of is_blank and parse_id rely on it. #}
{% macro blank_placeholders() %}
    {{ return([
        'n/a', '#n/a', '<na>', 'na', 'null', 'none', 'nil', 'nan', '-', '--', '?', '.', 'unknown',
    ]) }}
{% endmacro %}


{# Every blank of Unicode, the zero-width one and the byte order mark too, for RE2. #}
{% macro blank_character() -%}
    [\s\v\pZ\x{85}\x{200b}\x{feff}]
{%- endmacro %}


{% macro is_blank(column) %}
    {{ return(adapter.dispatch('is_blank', 'wardhouse')(column)) }}
{% endmacro %}
