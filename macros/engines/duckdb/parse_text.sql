{% macro duckdb__parse_text(column) -%}
    case when not {{ is_blank(column) }} then {{ without_outer_blanks(column) }} end
{%- endmacro %}


{# One spelling for every case and blank: a name that no seed knows is still one name. #}
{% macro duckdb__title_case(column) -%}
    array_to_string(
        list_transform(
            regexp_split_to_array(lower({{ parse_text(column) }}), '{{ blank_character() }}+'),
            lambda word : upper(word[1]) || word[2:]
        ),
        ' '
    )
{%- endmacro %}
