{% macro parse_timestamp(column, date_order) %}
    {{ return(adapter.dispatch('parse_timestamp', 'wardhouse')(column, date_order)) }}
{% endmacro %}


{# What follows a date: the clock, its half of the day and the zone in three groups. #}
{% macro written_time() -%}
    (?:[Tt]| +)
    {#- -#}
    ((?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]+)?)?|24:00(?::00(?:[.]0+)?)?)
    {#- -#}
    (?: *([AaPp][Mm]))?(?: *([Zz]|UTC|GMT|[-+](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?))?
{%- endmacro %}


{# The shape is looked at before the cast, which forgets offsets, 'PM' and whatever else follows. #}
{% macro duckdb__parse_timestamp(column, date_order) -%}
    coalesce(
        try_cast(
            case
                when not ({{ begins_with_calendar_year(column) }}) then null
                when {{ column }} like '____-__-_____:__:__' then {{ column }}
                when regexp_full_match(
                    {{ column }},
                    '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[-+]00:?00)?'
                ) then {{ column }}
            end as timestamp
        ),
        {{ read_dirty_timestamp(column, date_order) }}
    )
{%- endmacro %}


{# A text without a time is no timestamp: midnight would be a guess. #}
{% macro read_dirty_timestamp(column, date_order) -%}
    list_transform(
        [
            regexp_extract(
                {{ with_plain_blanks(column) }},
                '^.*?{{ written_time() }} *$',
                ['clock', 'half', 'zone']
            )
        ],
        lambda written: timezone('UTC', try_cast(
            {{ parse_date(column, date_order) }} || ' ' || {{ clock_of_24_hours('written') }}
            || case when written.zone similar to '[-+].*' then written.zone else '+00' end as timestamptz
        ))
    )[1]
{%- endmacro %}


{% macro clock_of_24_hours(written) -%}
    case
        when {{ written }}.half = '' then nullif({{ written }}.clock, '')
        else strftime(
            try_strptime(
                {{ written }}.clock || ' ' || {{ written }}.half,
                ['%I:%M %p', '%I:%M:%S %p', '%I:%M:%S.%f %p']
            ),
            '%H:%M:%S.%f'
        )
    end
{%- endmacro %}
