{# As in read_decimal, the clean reading occurs twice and is computed once. #}
{% macro duckdb__parse_timestamp(column, date_order, options={}) -%}
    case
        when {{ read_clean_timestamp(column, options) }} is not null
            then {{ read_clean_timestamp(column, options) }}
        when {{ begins_with_calendar_year(column) }}
            and regexp_full_match({{ column }}, '{{ iso_timestamp() }}(?:Z|{{ written_offset() }})')
            then timezone('UTC', try_cast({{ column }} as timestamptz))
        when regexp_matches({{ column }}, '{{ compact_start() }}')
            then case
                when {{ in_calendar(read_compact_day(column, options)) }} is not null
                    then {{ read_compact_timestamp(column, options) }}
            end
        else {{ read_dirty_timestamp(column, date_order, options) }}
    end
{%- endmacro %}
