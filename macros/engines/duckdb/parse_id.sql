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


{# The apostrophe in front is what a spreadsheet keeps a number as text by. #}
{% macro read_dirty_id(column) -%}
    {%- set blank = blank_character() -%}
    list_transform(
        [upper(regexp_replace(
            regexp_replace(nfc_normalize({{ column }}), '{{ look_alike_dash() }}', '-', 'g'),
            '^{{ blank }}*''?{{ blank }}*|{{ blank }}+$|{{ invisible_character() }}', '', 'g'
        ))],
        lambda id : case
            when id = '' or regexp_full_match(id, '{{ rounded_number() }}') then null
            when regexp_full_match(id, '[0-9]+[.]0+') then split_part(id, '.', 1)
            else id
        end
    )[1]
{%- endmacro %}
