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
