{% macro duckdb__parse_json_object(column) -%}
    case
        when case when json_valid({{ column }}) then json_type({{ column }}) = 'OBJECT' end
            then json({{ column }})::varchar
    end
{%- endmacro %}


{% macro duckdb__json_field(column, keys) -%}
    list_filter(
        json_extract_string({{ column }}, ['/{{ keys | join("', '/") }}']),
        lambda found : found is not null
    )[1]
{%- endmacro %}


{% macro duckdb__undeclared_value(column, key) -%}
    json_extract_string({{ column }}, {{ sql_text('/' ~ key | replace('~', '~0') | replace('/', '~1')) }})
{%- endmacro %}
