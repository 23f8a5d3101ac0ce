{% macro parse_id(column) %}
    {{ return(adapter.dispatch('parse_id', 'wardhouse')(column)) }}
{% endmacro %}


{# Signs that nobody sees, within a word too. #}
{% macro invisible_character() -%}
    [\x{ad}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}\x{feff}]
{%- endmacro %}


{# Signs that look like the hyphen, which text processors put in its place. #}
{% macro look_alike_dash() -%}
    [\x{2010}-\x{2015}\x{2212}\x{fe58}\x{fe63}\x{ff0d}]
{%- endmacro %}


{# A number as a spreadsheet shows a long one: its last digits are lost. #}
{% macro rounded_number() -%}
    [0-9](?:[.][0-9]+)?[Ee][+][0-9]+
{%- endmacro %}


{# The apostrophe before a number is what a spreadsheet keeps it as text by. #}
{% macro read_dirty_id(column) -%}
    {%- set blank = blank_character() -%}
    list_transform(
        [upper(regexp_replace(
            regexp_replace(nfc_normalize({{ column }}), '{{ look_alike_dash() }}', '-', 'g'),
            '^{{ blank }}+|{{ blank }}+$|{{ invisible_character() }}', '', 'g'
        ))],
        lambda id : case
            when id = '' or regexp_full_match(id, '{{ rounded_number() }}') then null
            when regexp_full_match(id, '''[0-9]+') then id[2:]
            when regexp_full_match(id, '[0-9]+[.]0+') then split_part(id, '.', 1)
            else id
        end
    )[1]
{%- endmacro %}
