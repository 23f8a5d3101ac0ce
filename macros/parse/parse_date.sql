{% macro parse_date(column, date_order, options={}) %}
    {{ return(adapter.dispatch('parse_date', 'wardhouse')(column, date_order, options)) }}
{% endmacro %}


{# Formats of strptime, whole years only: a year of two digits is a guess. The commonest come first,
   because each format that does not fit costs more than the one that does. #}
{% macro date_formats(date_order) %}
    {%- set day_and_month = {
        'dmy': ['%d/%m/%Y', '%d-%m-%Y', '%d.%m.%Y'],
        'mdy': ['%m/%d/%Y', '%m-%d-%Y', '%m.%d.%Y'],
    } -%}
    {%- if date_order not in day_and_month -%}
        {{ exceptions.raise_compiler_error("date_order is dmy or mdy, not '" ~ date_order ~ "'") }}
    {%- endif -%}
    {{ return(var('date_formats', day_and_month[date_order] + [
        '%Y/%m/%d', '%b %d, %Y', '%d %b %Y', '%d-%b-%Y', '%B %d, %Y', '%d %B %Y', '%Y%m%d',
    ])) }}
{% endmacro %}


{# Texts that begin with a year wholly in the calendar; the others are compared as dates. #}
{% macro begins_with_calendar_year(column) -%}
    {%- set first = var('calendar_start') | string -%}
    {%- set last = var('calendar_end') | string -%}
    {%- set first_year = first[:4] | int + (0 if first[4:] == '-01-01' else 1) -%}
    {%- set last_year = last[:4] | int - (0 if last[4:] == '-12-31' else 1) -%}
    {{ column }} between '{{ first_year }}' and '{{ last_year + 1 }}'
{%- endmacro %}


{# Ten characters, the year first: YYYY-MM-DD and YYYY/MM/DD. What the cast would take beyond that
   ('epoch', years BC, a time and anything behind it) is kept from it. A year of five digits, as in
   '20250-1-05', does not fit timestamp_ns; looking for the hyphen costs far more. #}
{% macro read_clean_date(column) -%}
    cast(try_cast(
        try_cast(
            case
                when {{ begins_with_calendar_year(column) }} and strlen({{ column }}) = 10
                    then {{ column }}
            end as date
        ) as timestamp_ns
    ) as date)
{%- endmacro %}


{% macro read_dirty_date(column, date_order, options={}) -%}
    {%- set found -%}
        try_strptime(
            {{ without_time(column, options) }}, {{ date_formats(date_order) + ['%Y-%m-%d'] }}
        )::date
    {%- endset -%}
    {{ in_calendar(found) }}
{%- endmacro %}


{# The lambda names the date, so that it is read once and compared twice. #}
{% macro in_calendar(found) -%}
    list_filter(
        [{{ found }}],
        lambda found:
            found between date '{{ var("calendar_start") }}' and date '{{ var("calendar_end") }}'
    )[1]
{%- endmacro %}


{# A lone number of less than eight digits goes too: '2025105' would pass for YYYYMMDD. #}
{% macro without_time(column, options={}) -%}
    {%- set blank = blank_character() -%}
    {%- set short_number = '^' ~ blank ~ '*[0-9]{1,7}' ~ blank ~ '*$' -%}
    {%- set end = '(?:' ~ written_time(options) ~ ')?' ~ blank ~ '*$' -%}
    regexp_replace({{ column }}, '{{ short_number }}|^{{ blank }}+|{{ end }}', '', 'g')
{%- endmacro %}
