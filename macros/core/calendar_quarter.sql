{# The quarter of a day, as 2024-Q3; Unknown where the day is. #}
{% macro calendar_quarter(day) -%}
    coalesce(year({{ day }}) || '-Q' || quarter({{ day }}), 'Unknown')
{%- endmacro %}
