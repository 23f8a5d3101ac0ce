{% macro parse_timestamp(column, date_order, options={}) %}
    {{ return(adapter.dispatch('parse_timestamp', 'wardhouse')(column, date_order, options)) }}
{% endmacro %}


{# A timestamp, or the midnight of a text that is a day alone: its time is not known. #}
{% macro parse_timestamp_or_day(column, date_order, options={}) -%}
    coalesce(
        {{ parse_timestamp(column, date_order, options) }},
        case
            when {{ is_day_alone(column) }} then {{ clock_in_utc(
                parse_date(column, date_order, options) ~ "::varchar || ' 00:00:00'", options.get('time_zone', '+00')
            ) }}
        end
    )
{%- endmacro %}


{# No clock in it, which is read or is wrong. #}
{% macro is_day_alone(column) -%}
    not contains({{ column }}, ':') and not regexp_matches({{ column }}, '{{ compact_start() }}')
{%- endmacro %}


{% macro written_clock() -%}
    (?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]+)?)?|24:00(?::00(?:[.]0+)?)?
{%- endmacro %}


{% macro written_offset() -%}
    [-+](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?
{%- endmacro %}


{% macro iso_timestamp() -%}
    [0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:{{ written_clock() }})
{%- endmacro %}


{# What follows a date: the clock, its half of the day and the zone in three groups. #}
{% macro written_time(options={}) -%}
    {%- set blank = blank_character() -%}
    (?:[Tt]|{{ blank }}+)({{ written_clock() }})(?:{{ blank }}*([AaPp][Mm]))?
    {#- -#}
    (?:{{ blank }}*({{ written_zone(options) }}))?
{%- endmacro %}


{# The shape is looked at before the cast, which forgets offsets, 'PM' and whatever else follows. #}
{% macro read_clean_timestamp(column, options={}) -%}
    {%- set zone = options.get('time_zone', 'UTC') -%}
    {%- set is_utc = '' if zone != 'UTC' else '(?:Z|[-+]00:?00)?' -%}
    {%- set clean -%}
        case
            when not ({{ begins_with_calendar_year(column) }}) then null
            when {{ column }} like '____-__-_____:__:__' then {{ column }}
            when regexp_full_match({{ column }}, '{{ iso_timestamp() }}{{ is_utc }}')
                then {{ column }}
        end
    {%- endset -%}
    {%- if zone == 'UTC' -%}try_cast({{ clean }} as timestamp){%- else -%}{{ clock_in_utc(clean, zone) }}{%- endif -%}
{%- endmacro %}


{# A text without a time is no timestamp: midnight would be a guess. #}
{% macro read_dirty_timestamp(column, date_order, options={}) -%}
    {%- set clock = "written.day || ' ' || " ~ clock_of_24_hours('written.time') -%}
    list_transform(
        [{
            'day': {{ read_dirty_date(column, date_order, options) }},
            'time': regexp_extract(
                {{ column }},
                '{{ written_time(options) }}{{ blank_character() }}*$',
                ['clock', 'half', 'zone']
            ),
        }],
        lambda written: {{ moment_of(clock, 'written.time.zone', options) }}
    )[1]
{%- endmacro %}


{% macro clock_of_24_hours(time) -%}
    case
        when {{ time }}.half <> '' then strftime(
            try_strptime(
                {{ time }}.clock || ' ' || {{ time }}.half,
                ['%I:%M %p', '%I:%M:%S %p', '%I:%M:%S.%f %p']
            ),
            '%H:%M:%S.%f'
        )
        when {{ time }}.clock <> '' then {{ time }}.clock
    end
{%- endmacro %}
