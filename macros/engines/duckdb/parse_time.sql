{# The shape is looked at before the cast, which would take more. 24:00 is no minute of the day. #}
{% macro duckdb__parse_time(column) -%}
    {%- set blanks = blank_character() ~ '*' -%}
    nullif(
        coalesce(
            try_cast(case when {{ column }} like '__:__:__' then {{ column }} end as time),
            list_transform(
                [regexp_extract(
                    {{ column }},
                    '^{{ blanks }}({{ written_clock() }})(?:{{ blanks }}([AaPp][Mm]))?{{ blanks }}$',
                    ['clock', 'half']
                )],
                lambda written: try_cast({{ clock_of_24_hours('written') }} as time)
            )[1]
        ),
        time '24:00:00'
    )
{%- endmacro %}
