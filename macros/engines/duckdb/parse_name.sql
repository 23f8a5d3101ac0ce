{# The point of an initial or a title belongs to its letter, any other sign parts words. #}
{% macro duckdb__parse_name(column) -%}
    nullif(array_to_string(list_sort(list_filter(
        regexp_split_to_array(
            regexp_replace(
                regexp_replace(lower(nfc_normalize({{ parse_text(column) }})), '\b([a-z])[.]', '\1', 'g'),
                '[''’`´]|{{ invisible_character() }}', '', 'g'
            ),
            '[^\p{L}\p{M}\p{N}]+'
        ),
        lambda word : word not in ('', '{{ var("provider_titles") | join("', '") }}')
    )), ' '), '')
{%- endmacro %}
