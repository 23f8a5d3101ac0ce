{#
    The layout is the declaration: models/staging/<area>, models/marts/core/<area>,
    models/marts/<area>, models/ml/<area>. Folders that no area has are shared by all.
#}
{% macro area_of(node) %}
    {% set folder = node.fqn[1:-1] %}
    {% if folder and folder[0] in ['staging', 'ml'] and folder | length > 1 %}
        {{ return(folder[1]) }}
    {% elif folder and folder[0] == 'marts' and folder[1] not in ['core', 'quality'] %}
        {{ return(folder[1]) }}
    {% endif %}
    {{ return(node.schema) }}
{% endmacro %}


{# The layer is the schema; answers have one for each area. What is configured comes first. #}
{% macro generate_schema_name(custom_schema_name, node) %}
    {%- set folder = node.fqn[1:-1] -%}
    {%- if custom_schema_name -%}
        {{ custom_schema_name | trim }}
    {%- elif node.resource_type == 'model' and folder -%}
        {{ folder[1] if folder[0] == 'marts' else folder[0] }}
    {%- else -%}
        {{ target.schema }}
    {%- endif -%}
{% endmacro %}
