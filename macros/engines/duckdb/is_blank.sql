{% macro duckdb__is_blank(column) -%}
    {%- set blanks = blank_character() ~ '*' -%}
    {%- set words = [] -%}
    {%- for word in blank_placeholders() -%}
        {%- do words.append(modules.re.escape(word)) -%}
    {%- endfor -%}
    {#- Most values begin with a digit: comparing the first byte is far cheaper than a regex. -#}
    case
        when {{ column }} between '0' and ':' then false
        else coalesce(
            regexp_full_match({{ column }}, '(?i){{ blanks }}(?:{{ words | join('|') | replace("'", "''") }})?{{ blanks }}'),
            true
        )
    end
{%- endmacro %}
