{# Ends a build with a line for each area, from a mart of its own: meta.headline. #}
{% macro log_headlines() %}
    {% if is_build() %}
        {% set chosen = run_query('select areas from landing.warehouse_state').rows[0][0].split(',') %}
        {% set lines = [] %}
        {% for result in results if result.status == 'success'
            and result.node.config.meta.headline and area_of(result.node) in chosen %}
            {% set headline = result.node.config.meta.headline %}
            {% for row in rows_as_dicts(
                'select * from ' ~ result.node.relation_name
                ~ ' order by ' ~ headline.first_by ~ ' limit 1'
            ) %}
                {% do lines.append('%-13s %s' % (area_of(result.node), headline_text(headline, row))) %}
            {% endfor %}
        {% endfor %}
        {% for line in ([''] if lines else []) + lines | sort %}
            {% do log(line, info=true) %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{#
    A headline with the values of a row: {column}, and {one|more:column} by the column's number. Where the
    row has nothing of its measure it says what is declared for that.
#}
{% macro headline_text(headline, row) %}
    {% if not row[headline.measure] %}
        {{ return(headline.otherwise) }}
    {% endif %}
    {% set told = {} %}
    {% for column, value in row.items() %}
        {% do told.update({column: headline_value(value)}) %}
    {% endfor %}
    {% set ns = namespace(text=headline.text) %}
    {% for found in modules.re.findall('[{]([^{}|]*)[|]([^{}|]*):([a-z_]+)[}]', headline.text) %}
        {% set marker = '{' ~ found[0] ~ '|' ~ found[1] ~ ':' ~ found[2] ~ '}' %}
        {% set ns.text = ns.text.replace(marker, found[0] if row[found[2]] == 1 else found[1]) %}
    {% endfor %}
    {{ return(ns.text.format(**told)) }}
{% endmacro %}


{# A figure or text as a headline shows it. #}
{% macro headline_value(value) %}
    {% if value is none %}
        {{ return('unknown') }}
    {% elif value is not number %}
        {{ return(value | string) }}
    {% endif %}
    {{ return('{:,.0f}'.format(value) if value == value | int else '{:,.2f}'.format(value)) }}
{% endmacro %}
