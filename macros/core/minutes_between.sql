{# Minutes from one moment to another, below zero where the other comes first. #}
{% macro minutes_between(start_at, end_at) %}
    {{ return(adapter.dispatch('minutes_between', 'wardhouse')(start_at, end_at)) }}
{% endmacro %}
