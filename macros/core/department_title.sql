{# A department as people name it, from the columns department and hospital_id. #}
{% macro department_title() -%}
    department || ' of hospital ' || hospital_id
{%- endmacro %}
