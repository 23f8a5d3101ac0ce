{# What each optional feed is needed for: tables and columns that say so by `meta: {needs_feed: ...}`. #}
{% macro answers_of_feeds() %}
    {% set answers = [] %}
    {% set nodes = graph.nodes.values() if execute else [] %}
    {% for node in nodes | selectattr('resource_type', 'equalto', 'model') | sort(attribute='name') %}
        {% set needs = node.config.meta.needs_feed %}
        {% if needs %}
            {% do answers.append((area_of(node), needs, node.schema ~ '.' ~ node.name, none)) %}
        {% endif %}
        {% for column in node.columns.values() if column.config.meta.needs_feed %}
            {% do answers.append((
                area_of(node), column.config.meta.needs_feed, node.schema ~ '.' ~ node.name, column.name
            )) %}
        {% endfor %}
    {% endfor %}
    {% for area, feed, table, column in answers %}
    select
        '{{ area }}' as area, '{{ feed }}' as feed, '{{ table }}' as table_name,
        {{ "'" ~ column ~ "'" if column else 'null::varchar' }} as column_name
    {{ 'union all' if not loop.last }}
    {% endfor %}
    {% if not answers %}
    select '' as area, '' as feed, '' as table_name, null::varchar as column_name where false
    {% endif %}
{% endmacro %}
