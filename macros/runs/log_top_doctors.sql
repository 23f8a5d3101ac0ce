{# Ends a build with its headline answer. #}
{% macro log_top_doctors() %}
    {% if is_build() %}
        {% set built = results | selectattr('node.name', 'equalto', 'top_doctors') | list %}
        {% set is_built = built and built[0].status == 'success' %}
        {% set query = 'select * from hospital.top_doctors order by revenue_rank, doctor_id' %}
        {% set doctors = rows_as_dicts(query) if is_built else [] %}
        {% if doctors %}
            {% set line = '%4s  %-8s %-20s %15s %9s  %s' %}
            {% do log('', info=true) %}
            {% do log(line % ('rank', 'doctor', 'specialty', 'revenue', 'feedback', 'action'), info=true) %}
            {% for row in doctors %}
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
