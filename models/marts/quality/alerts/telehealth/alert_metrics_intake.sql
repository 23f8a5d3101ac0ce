-- Is what came in new, and is it whole? Null shares are of records as they came in, refused ones
-- too. A record dated after the clock says nothing of how new the data are.
{{ config(materialized='view') }}

with appointments as (
    select * from {{ ref('base_telehealth__appointment_logs') }}
),

records as (
    {% for alert_type, fact, what in [
        ('stale_appointments', 'fct_appointments', 'appointment'),
        ('stale_feedback', 'fct_appointment_feedback', 'feedback'),
    ] %}
    select
        '{{ alert_type }}' as alert_type,
        'age of the newest {{ what }} record' as metric,
        epoch_us({{ as_of() }} - max(recorded_at)) / 3.6e9 as value,
        count(*) as n
    from {{ ref(fact) }}
    where recorded_at <= {{ as_of() }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
    {% for column in watched_columns('model.wardhouse.base_telehealth__appointment_logs') %}
    union all
    select
        'null_share' as alert_type,
        'null share of {{ column }}' as metric,
        count(*) filter ({{ column }} is null) / nullif(count(*), 0)::double as value,
        count(*) as n
    from appointments
    {% endfor %}
),

final as (
    select
        'telehealth' as area,
        alert_type,
        metric,
        value,
        n,
        {{ as_of() }} as as_of
    from records
    where n > 0
)

select * from final
