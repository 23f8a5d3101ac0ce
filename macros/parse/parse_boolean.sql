{% macro parse_boolean(column) %}
    {{ return(adapter.dispatch('parse_boolean', 'wardhouse')(column)) }}
{% endmacro %}
