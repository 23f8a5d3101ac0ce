{# The settings by which a feed is read: those of feeds.csv, `declared`, else the project's. #}
{% macro feed_options(area, feed) %}
    {% set options = {'decimal_mark': '.', 'date_order': var('date_order'), 'declared': []} %}
    {% if execute and flags.WHICH != 'parse' %}
        {% for row in run_query(
            "select option, value from landing.feed_options where area = '" ~ area ~ "' and feed = '"
            ~ feed ~ "'"
        ).rows %}
            {% do options.update({row[0]: row[1]}) %}
            {% do options.declared.append(row[0]) %}
        {% endfor %}
    {% endif %}
    {{ return(options) }}
{% endmacro %}
