{# As in read_decimal, the clean reading occurs twice and is computed once. #}
{% macro duckdb__parse_date(column, date_order, options={}) -%}
    case
        when {{ read_clean_date(column) }} is not null then {{ read_clean_date(column) }}
        when {{ begins_with_calendar_year(column) }}
            and regexp_full_match(
                {{ column }}, '{{ iso_timestamp() }}(?:Z|{{ written_offset() }})?'
            )
            then try_cast(left({{ column }}, 10) as date)
        when regexp_matches({{ column }}, '{{ compact_start() }}')
            then {{ in_calendar(read_compact_day(column, options)) }}
        else {{ read_dirty_date(column, date_order, options) }}
    end
{%- endmacro %}
