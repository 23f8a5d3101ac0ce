{# The clean reading occurs twice, and DuckDB computes it once. A coalesce would read better, but
   what two columns of a query share in it is computed for every row, however rarely needed. #}
{% macro duckdb__read_decimal(column, scale, decimal_mark, currency='') -%}
    {%- if decimal_mark not in ['.', ','] -%}
        {{ exceptions.raise_compiler_error("decimal_mark is . or , and not " ~ decimal_mark) }}
    {%- endif -%}
    case
        when {{ read_clean_decimal(column, scale, decimal_mark) }} is not null
            then {{ read_clean_decimal(column, scale, decimal_mark) }}
        else {{ read_dirty_decimal(column, scale, decimal_mark, currency) }}
    end
{%- endmacro %}
