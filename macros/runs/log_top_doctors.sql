{# Ends a build with its headline answer. #}
{% macro log_top_doctors() %}
    {% if is_build() %}
        {% set built = results | selectattr('node.name', 'equalto', 'top_doctors') | list %}
        {% if built and built[0].status == 'success' %}
            {% set line = '%4s  %-8s %-20s %15s %9s  %s' %}
            {% do log('', info=true) %}
            {% do log(line % ('rank', 'doctor', 'specialty', 'revenue', 'feedback', 'action'), info=true) %}
            {% for row in rows_as_dicts('select * from hospital.top_doctors order by revenue_rank, doctor_id') %}
                {% do log(line % (
                    row.revenue_rank, row.doctor_id, (row.specialty or 'unknown')[:20],
                    row.total_revenue, row.avg_feedback if row.avg_feedback is not none else '-',
                    row.action
                ), info=true) %}
                {% do log(line % ('', '', '', '', '', row.evidence), info=true) %}
            {% endfor %}
        {% endif %}
    {% endif %}
{% endmacro %}
