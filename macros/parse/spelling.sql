{% macro spelling(column) %}
    {{ return(adapter.dispatch('spelling', 'wardhouse')(column)) }}
{% endmacro %}
