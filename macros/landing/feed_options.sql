{# The settings by which a feed is read: those of feeds.csv, `declared`, else the project's. #}
{% macro feed_options(area, feed) %}
    {% set options = {'decimal_mark': '.', 'date_order': var('date_order'), 'declared': []} %}
    {% if execute and is_landed('feed_options') %}
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


{# Whether feeds.csv supplies nothing for a column, `value:<column>,`: no record of the feed says it. #}
{% macro is_declared_unknown(options, column) %}
    {{ return(options.get('value:' ~ column) == '') }}
{% endmacro %}


{# Whether landing has made a table: nothing is landed where a command only compiles in a new place. #}
{% macro is_landed(table) %}
    {{ return(adapter.get_relation(target.database, 'landing', table) is not none) }}
{% endmacro %}


{# Whether any file of a feed has a column. Where the feed has no file, nothing is missing. #}
{% macro is_delivered(area, feed, column) -%}
    (
        select coalesce(bool_or(column_name = '{{ column }}'), true)
        from landing.delivered_columns
        where area = '{{ area }}' and feed = '{{ feed }}'
    )
{%- endmacro %}


{# Whether the file of a record has a column; of a stream each does, for its messages differ. #}
{% macro is_in_file(area, feed, column) -%}
    coalesce(source_file not in (
        select source_file
        from landing.lacking_columns
        where area = '{{ area }}' and feed = '{{ feed }}' and column_name = '{{ column }}'
    ), true)
{%- endmacro %}
