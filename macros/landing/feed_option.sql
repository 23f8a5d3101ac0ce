{# A setting of the feed from feeds.csv, else the project's. #}
{% macro feed_option(area, feed, option, default) %}
    {% if execute and flags.WHICH != 'parse' %}
        {% set found = run_query(
            "select value from landing.feed_options where area = '" ~ area ~ "' and feed = '"
            ~ feed ~ "' and option = '" ~ option ~ "'"
        ) %}
        {{ return(found.rows[0][0] if found.rows | length else default) }}
    {% endif %}
    {{ return(default) }}
{% endmacro %}
