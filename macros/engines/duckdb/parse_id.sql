{% macro duckdb__parse_id(column) -%}
    {%- set blank = blank_character() -%}
    {#- What begins with a visible ASCII character and ends in a digit has nothing to trim and is
        no placeholder. Looking at both ends costs less than trim() alone. -#}
    case
        when {{ column }} between '!' and '~' and ({{ column }})[-1] between '0' and '9'
            then upper({{ column }})
        when {{ is_blank(column) }} then null
        else upper(regexp_replace({{ column }}, '^{{ blank }}+|{{ blank }}+$', '', 'g'))
    end
{%- endmacro %}
