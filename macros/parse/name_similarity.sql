{# How alike two names are, 0 to 1: the similarity of Jaro and Winkler. #}
{% macro name_similarity(name, other) %}
    {{ return(adapter.dispatch('name_similarity', 'wardhouse')(name, other)) }}
{% endmacro %}
