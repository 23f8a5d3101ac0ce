{# The text of a JSON object in its shortest form, so that blanks make no other content. #}
{% macro parse_json_object(column) %}
    {{ return(adapter.dispatch('parse_json_object', 'wardhouse')(column)) }}
{% endmacro %}


{# The value of the first of several keys that a JSON object knows, as text. #}
{% macro json_field(column, keys) %}
    {{ return(adapter.dispatch('json_field', 'wardhouse')(column, keys)) }}
{% endmacro %}


{# The text of one key of a JSON object, whatever signs the key holds. #}
{% macro undeclared_value(column, key) %}
    {{ return(adapter.dispatch('undeclared_value', 'wardhouse')(column, key)) }}
{% endmacro %}
