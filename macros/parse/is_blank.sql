{# None begins or ends in a digit: the short cuts of is_blank and parse_id rely on it. #}
{% macro blank_placeholders() %}
    {{ return([
        'n/a', '#n/a', '<na>', 'na', 'null', 'none', 'nil', 'nan', '-', '--', '?', '.', 'unknown',
    ]) }}
{% endmacro %}


{# Every blank of Unicode, zero-width ones and the byte order mark too, for RE2. #}
{% macro blank_characters() -%}
    [\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200b}\x{2028}\x{2029}\x{202f}\x{205f}\x{2060}\x{3000}\x{feff}]
{%- endmacro %}


{% macro with_plain_blanks(column) -%}
    regexp_replace({{ column }}, '{{ blank_characters() }}', ' ', 'g')
{%- endmacro %}


{% macro is_blank(column) %}
    {{ return(adapter.dispatch('is_blank', 'wardhouse')(column)) }}
{% endmacro %}


{% macro duckdb__is_blank(column) -%}
    {%- set blanks = blank_characters() ~ '*' -%}
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
