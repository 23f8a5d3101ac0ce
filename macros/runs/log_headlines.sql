{# Ends a build with a line for each area, told by a mart of its own: meta.headline. #}
{% macro log_headlines() %}
    {% if execute and flags.WHICH in ['build', 'run'] and reads_all() %}
        {% set chosen = run_query('select areas from landing.warehouse_state').rows[0][0].split(',') %}
        {% set lines = [] %}
        {% for result in results if result.status == 'success'
            and result.node.config.meta.headline and area_of(result.node) in chosen %}
            {% set headline = result.node.config.meta.headline %}
            {% for row in rows_as_dicts(
                'select * from ' ~ result.node.relation_name
                ~ ' order by ' ~ headline.first_by ~ ' limit 1'
            ) %}
                {% set told = {} %}
                {% for column, value in row.items() %}
                    {% do told.update({column: headline_value(value)}) %}
                {% endfor %}
                {% do lines.append('%-13s %s' % (area_of(result.node), headline.text.format(**told))) %}
            {% endfor %}
        {% endfor %}
        {% for line in ([''] if lines else []) + lines | sort %}
            {% do log(line, info=true) %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{% macro headline_value(value) %}
    {% if value is none %}
        {{ return('unknown') }}
    {% elif value is not number %}
        {{ return(value | string) }}
    {% endif %}
    {{ return('{:,.0f}'.format(value) if value == value | int else '{:,.2f}'.format(value)) }}
{% endmacro %}
