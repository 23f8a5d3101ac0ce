-- What alerts are drawn from, of those areas that are built: of the others there is nothing to say.
{{ config(materialized='view') }}
{% set built = [] %}
{% for area, metrics in of_all_areas('alert_metrics') %}
{% if not execute or load_relation(ref(metrics)) %}{% do built.append(metrics) %}{% endif %}
{% endfor %}

{% for metrics in built + ['alert_metrics_builds'] %}
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
