{# Ends a build with what became of the raw records, feed by feed. #}
{% macro log_reconciliation() %}
    {% if is_build() %}
        {% set built = results
            | selectattr('node.name', 'in', ['feed_reconciliation', 'quarantine'])
            | selectattr('status', 'equalto', 'success') | list %}
        {% if built | length == 2 %}
            {% set feeds = rows_as_dicts("
                select
                    area || '.' || feed as feed, n_raw, n_accepted, n_rejected, n_duplicates,
                    n_repaired
                from quality.feed_reconciliation where n_files > 0 order by all
            ") %}
            {% set line = '%-42s %11s %11s %9s %10s %9s' %}
            {% do log('', info=true) %}
            {% do log(line % ('feed', 'raw', 'accepted', 'rejected', 'duplicate', 'repaired'), info=true) %}
            {% for row in feeds %}
                {% do log(line % (
                    row.feed, row.n_raw, row.n_accepted, row.n_rejected, row.n_duplicates,
                    row.n_repaired
                ), info=true) %}
            {% endfor %}
            {% for row in rows_as_dicts("
                select area || '.' || feed as feed, reason, count(*) as n
                from quality.quarantine group by all order by n desc, feed, reason limit 5
            ") %}
                {% do log('  quarantine: ' ~ row.feed ~ ' ' ~ row.reason ~ ' (' ~ row.n ~ ')', info=true) %}
            {% endfor %}
        {% endif %}
    {% endif %}
{% endmacro %}
