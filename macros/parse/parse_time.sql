{% macro parse_time(column) %}
    {{ return(adapter.dispatch('parse_time', 'wardhouse')(column)) }}
{% endmacro %}


{# A time of day of 24 hours, or of 12 with its half named. The shape is looked at before the cast,
   which would take more. #}
{% macro duckdb__parse_time(column) -%}
    coalesce(
        try_cast(
            case when {{ column }} like '__:__:__' then {{ column }} end as time
        ),
        try_strptime(
            upper(trim({{ with_plain_blanks(column) }})),
            ['%H:%M:%S', '%H:%M', '%H:%M:%S.%f', '%I:%M %p', '%I:%M%p', '%I:%M:%S %p']
        )::time
    )
{%- endmacro %}
