{{ config(materialized='view') }}

{% for metrics in ['intake', 'days', 'visits', 'patient_flow', 'builds'] %}
select
    area,
    alert_type,
    metric,
    value,
    n,
    as_of
from {{ ref('alert_metrics_' ~ metrics) }}
{{ 'union all' if not loop.last }}
{% endfor %}
