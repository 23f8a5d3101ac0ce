{#
    Keeps an incremental table equal to its source by record hash, whatever changed upstream:
    `only_new` reads what is missing, `remove_gone` deletes what no longer stands.
#}
{% macro only_new(column) -%}
    {%- if is_incremental() -%} anti join {{ this }} as present using ({{ column }}) {%- endif -%}
{%- endmacro %}


{% macro remove_gone(relation, column) %}
    {% if is_incremental() %}
        delete from {{ this }}
        where not exists (
            select 1 from {{ relation }} as standing
            where standing.{{ column }} = {{ this.identifier }}.{{ column }}
        )
    {% endif %}
{% endmacro %}
