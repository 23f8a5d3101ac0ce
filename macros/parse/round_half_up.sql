{# A double holds 1.005 as a bit less than that. Six further decimals are enough to see the tie
   again, and few enough to hide what arithmetic on doubles left behind. #}
{% macro round_half_up(expression, digits) -%}
    cast(
        round(cast({{ expression }} as decimal(38, {{ digits + 6 }})), {{ digits }})
        as decimal(18, {{ digits }})
    )
{%- endmacro %}
