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


{% macro duckdb__is_blank(column) -%}
    {%- set blanks = blank_character() ~ '*' -%}
    {%- set placeholders = modules.re.sub('([?.])', '[\\1]', blank_placeholders() | join('|')) -%}
    {#- Most values begin with a digit: comparing the first byte is far cheaper than a regex. -#}
    case
        when {{ column }} between '0' and ':' then false
        else coalesce(
            regexp_full_match({{ column }}, '(?i){{ blanks }}(?:{{ placeholders }})?{{ blanks }}'),
            true
        )
    end
{%- endmacro %}
