{#
    Day and time in digits alone: 20250305073000 as HL7 writes it, 20250305T0730 as ISO 8601 does, and
    seconds or milliseconds since 1970. These have ten or thirteen digits and begin with 1, what
    begins with a year has twelve or fourteen: neither can be taken for the other.
#}
{% macro compact_start() -%}
    ^{{ blank_character() }}*[0-9]{8}T?[0-9]{2}(?:[0-9]|{{ blank_character() }}*$)
{%- endmacro %}


{% macro compact_timestamp(options={}) -%}
    {%- set blanks = blank_character() ~ '*' -%}
    ^{{ blanks }}([0-9]{4})([0-9]{2})([0-9]{2})T?([0-9]{2})([0-9]{2})
    {#- -#}
    (?:([0-9]{2})([.][0-9]{1,9})?)?(?:{{ blanks }}({{ written_zone(options) }}))?{{ blanks }}$
{%- endmacro %}


{# The moment that a number since 1970 names; null for anything else. #}
{% macro read_epoch(column) -%}
    {%- set number = 'trim(' ~ column ~ ')' -%}
    case
        when regexp_full_match({{ number }}, '1[0-9]{9}')
            then make_timestamp(try_cast({{ number }} as bigint) * 1000000)
        when regexp_full_match({{ number }}, '1[0-9]{12}')
            then make_timestamp(try_cast({{ number }} as bigint) * 1000)
    end
{%- endmacro %}


{# The day as written, of a number since 1970 the day in UTC. #}
{% macro read_compact_day(column, options={}) -%}
    coalesce(
        {{ read_epoch(column) }}::date,
        try_cast(regexp_replace(
            {{ column }}, '{{ compact_timestamp(options) }}', '\1-\2-\3 \4:\5:00'
        ) as timestamp)::date
    )
{%- endmacro %}


{% macro read_compact_timestamp(column, options={}) -%}
    coalesce(
        {{ read_epoch(column) }},
        list_transform(
            [regexp_extract(
                {{ column }}, '{{ compact_timestamp(options) }}',
                ['year', 'month', 'day', 'hour', 'minute', 'second', 'fraction', 'zone']
            )],
            lambda found : {{ moment_of(
                "found.year || '-' || found.month || '-' || found.day || ' ' || found.hour || ':' "
                "|| found.minute || ':' || case when found.second = '' then '00' else found.second "
                "end || found.fraction",
                'found.zone', options
            ) }}
        )[1]
    )
{%- endmacro %}
