{# The text of a JSON object in its shortest form, so that blanks make no other content. #}
{% macro parse_json_object(column) %}
    {{ return(adapter.dispatch('parse_json_object', 'wardhouse')(column)) }}
{% endmacro %}


{% macro duckdb__parse_json_object(column) -%}
    case
        when case when json_valid({{ column }}) then json_type({{ column }}) = 'OBJECT' end
            then json({{ column }})::varchar
    end
{%- endmacro %}


{# The value of the first of several keys that a JSON object knows, as text. #}
{% macro json_field(column, keys) %}
    {{ return(adapter.dispatch('json_field', 'wardhouse')(column, keys)) }}
{% endmacro %}


{% macro duckdb__json_field(column, keys) -%}
    list_filter(
        json_extract_string({{ column }}, ['/{{ keys | join("', '/") }}']),
        lambda found : found is not null
    )[1]
{%- endmacro %}
