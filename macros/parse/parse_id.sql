{% macro parse_id(column) %}
    {{ return(adapter.dispatch('parse_id', 'wardhouse')(column)) }}
{% endmacro %}
