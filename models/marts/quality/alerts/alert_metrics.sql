{{ config(materialized='view') }}

{% for area, metrics in of_all_areas('alert_metrics') + [('warehouse', 'alert_metrics_builds')] %}
select
    area,
    alert_type,
    metric,
    value,
    n,
    as_of
from {{ ref(metrics) }}
{{ 'union all' if not loop.last }}
{% endfor %}
