{{ config(materialized='view') }}

{% for area, statistics in of_all_areas('insight_statistics') %}
select
    '{{ area }}' as area,
    *
from {{ ref(statistics) }}
{{ 'union all by name' if not loop.last }}
{% endfor %}
