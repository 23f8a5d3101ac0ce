{# As in read_decimal, the clean reading stands twice and is computed once. #}
{% macro duckdb__parse_timestamp(column, date_order) -%}
    case
        when {{ read_clean_timestamp(column) }} is not null then {{ read_clean_timestamp(column) }}
        when {{ begins_with_calendar_year(column) }}
            and regexp_full_match({{ column }}, '{{ iso_timestamp() }}{{ written_offset() }}')
            then timezone('UTC', try_cast({{ column }} as timestamptz))
        else {{ read_dirty_timestamp(column, date_order) }}
    end
{%- endmacro %}
