{% macro parse_time(column) %}
    {{ return(adapter.dispatch('parse_time', 'wardhouse')(column)) }}
{% endmacro %}
