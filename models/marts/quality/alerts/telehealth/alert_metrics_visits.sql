-- How visits went over the days that the seed names for each alert, the clock's own day included:
-- appointments by their day, feedback by its own. Means are over known values, as exact decimals.
{{ config(materialized='view') }}
{% set appointments, feedback = 'fct_appointments', 'fct_appointment_feedback' %}
{% set measures = [
    ('low_completion', 'completion rate', appointments, 'is_completed::integer'),
    ('high_cancellation', 'cancellation rate', appointments,
        "(appointment_status = 'Cancelled')::integer"),
    ('high_no_show', 'no-show rate', appointments, "(appointment_status = 'No-show')::integer"),
    ('technical_issues', 'technical issue rate', appointments, 'has_technical_issues::integer'),
    ('poor_connections', 'mean connection quality', appointments, 'connection_quality_score'),
    ('low_satisfaction', 'mean satisfaction', feedback, 'overall_satisfaction'),
] %}

with thresholds as (
    select * from {{ ref('alert_thresholds') }}
    where area = 'telehealth'
),

observed as (
    {% for alert_type, metric, fact, value in measures %}
    select
        thresholds.area,
        thresholds.alert_type,
        '{{ metric }} over ' || thresholds.window_days
        || if(thresholds.window_days = 1, ' day', ' days') as metric,
        {{ value }}::decimal(18, 4) as value
    from {{ ref(fact) }}
    inner join thresholds
        on
            thresholds.alert_type = '{{ alert_type }}'
            and {{ 'feedback_date' if fact == feedback else 'appointment_date' }}
            between ({{ as_of() }})::date - thresholds.window_days and ({{ as_of() }})::date
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        area,
        alert_type,
        metric,
        sum(value)::double / count(value) as value,
        count(value) as n,
        {{ as_of() }} as as_of
    from observed
    group by area, alert_type, metric
    having count(value) > 0
)

select * from final
