{% macro duckdb__parse_id(column) -%}
    {#- What begins with such an ASCII character, ends in a digit, is ASCII throughout and has neither
        point nor plus is what it seems: nothing to trim, no null word, no number that was rounded.
        Looking at that costs less than trim() alone. -#}
    case
        when {{ column }} between '(' and '~' and ({{ column }})[-1] between '0' and '9'
            and strlen({{ column }}) = length({{ column }})
            and not contains({{ column }}, '.') and not contains({{ column }}, '+')
            then upper({{ column }})
        when {{ is_blank(column) }} then null
        else {{ read_dirty_id(column) }}
    end
{%- endmacro %}
