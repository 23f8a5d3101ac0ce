{# The clock of the warehouse in UTC: var('as_of'), or now where it is empty. #}
{% macro as_of() -%}
    {%- if var('as_of', '') -%}
        {{ sql_text(var('as_of') | string) }}::timestamp
    {%- else -%}
        timezone('UTC', current_timestamp)
    {%- endif -%}
{%- endmacro %}


{# A number as people write it: three decimals at most, none that says nothing. #}
{% macro plain_number(value) -%}
    regexp_replace(format('{:.3f}', ({{ value }})::double), '[.]?0+$', '')
{%- endmacro %}


{# An alert's unit behind a number: of exactly 1 it is one hour, not hours. #}
{% macro unit_of(value) -%}
    if({{ plain_number(value) }} = '1', regexp_replace(unit_told, 's$', ''), unit_told)
{%- endmacro %}
