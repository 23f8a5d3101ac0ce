{# Joins what means that a patient has not left yet. The time of day that some write beside it means nothing. #}
{% macro known_open_discharge(column) -%}
    left join {{ ref('open_discharge_dates') }} as open_discharge_dates
        on
            -- Few discharges are no date of the calendar: only these are looked up.
            case when not ({{ begins_with_calendar_year(column) }}) then {{ spelling(
                "regexp_replace(" ~ column ~ ", '[Tt ]+[0-9]{1,2}:.*$', '')"
            ) }} end = open_discharge_dates.spelling
{%- endmacro %}


{#
    Whether a stream's clock runs so far ahead that it reports what had not happened when the event
    was ingested. A file that somebody copied in was not ingested, and may be of any time.
#}
{% macro is_after_ingestion(moment) -%}
    {{ moment }} > ingested_at + to_minutes({{ var('event_clock_tolerance_minutes') }})
{%- endmacro %}
