{% macro duckdb__parse_boolean(column) -%}
    {%- set word = 'lower(' ~ without_outer_blanks(column) ~ ')' -%}
    case
        when {{ word }} in ('true', 't', 'yes', 'y', '1', '1.0') then true
        when {{ word }} in ('false', 'f', 'no', 'n', '0', '0.0') then false
    end
{%- endmacro %}
