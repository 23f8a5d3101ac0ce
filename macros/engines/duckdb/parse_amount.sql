{% macro duckdb__is_credit(column, decimal_mark) -%}
    {#- Looking for a parenthesis is cheap, reading the amount again is not. -#}
    case
        when contains({{ column }}, '(') or contains(lower({{ column }}), 'cr')
            then {{ read_dirty_decimal(column, 2, decimal_mark, currency_mark()) }} is not null
        else false
    end
{%- endmacro %}
