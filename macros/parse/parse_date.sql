{% macro parse_date(column, date_order) %}
    {{ return(adapter.dispatch('parse_date', 'wardhouse')(column, date_order)) }}
{% endmacro %}


{# Formats of strptime, whole years only: a year of two digits is a guess. #}
{% macro date_formats(date_order) %}
    {%- set day_and_month = {
        'dmy': ['%d/%m/%Y', '%d-%m-%Y', '%d.%m.%Y'],
        'mdy': ['%m/%d/%Y', '%m-%d-%Y', '%m.%d.%Y'],
    } -%}
    {%- if date_order not in day_and_month -%}
        {{ exceptions.raise_compiler_error("date_order is dmy or mdy, not '" ~ date_order ~ "'") }}
    {%- endif -%}
    {{ return(var('date_formats', day_and_month[date_order] + [
        '%Y/%m/%d', '%Y%m%d', '%b %d, %Y', '%B %d, %Y', '%d %b %Y', '%d %B %Y', '%d-%b-%Y',
    ])) }}
{% endmacro %}


{# Texts that begin with a year that lies wholly in the calendar; the others are judged as dates. #}
{% macro begins_with_calendar_year(column) -%}
    {%- set first = var('calendar_start') | string -%}
    {%- set last = var('calendar_end') | string -%}
    {%- set first_year = first[:4] | int + (0 if first[4:] == '-01-01' else 1) -%}
    {%- set last_year = last[:4] | int - (0 if last[4:] == '-12-31' else 1) -%}
    {{ column }} between '{{ first_year }}' and '{{ last_year + 1 }}'
{%- endmacro %}


{# The shape is looked at before the cast, which takes 'epoch', years of five digits and more. #}
{% macro duckdb__parse_date(column, date_order) -%}
    coalesce(
        try_cast(
            case
                when {{ begins_with_calendar_year(column) }} and {{ column }} like '____-__-__'
                    then {{ column }}
            end as date
        ),
        {{ read_dirty_date(column, date_order) }}
    )
{%- endmacro %}


{# The lambda names the date, so that it is read once and compared twice. Without the look at its
   length '2025105' would be a date. #}
{% macro read_dirty_date(column, date_order) -%}
    list_filter(
        [
            try_strptime(
                nullif(regexp_extract(
                    {{ with_plain_blanks(column) }}, '^ *([^ ].{6,}?[^ ])(?:{{ written_time() }})? *$', 1
                ), ''),
                {{ ['%Y-%m-%d'] + date_formats(date_order) }}
            )::date
        ],
        lambda found:
            found between date '{{ var("calendar_start") }}' and date '{{ var("calendar_end") }}'
    )[1]
{%- endmacro %}
