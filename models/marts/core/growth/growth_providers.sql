-- Growth's part of dim_provider. A provider is described by the CRM, and whom it does not know is
-- an inferred member. The name shown is the CRM's spelling, else the most frequent one.
{{ config(materialized='view') }}

with named as (
    {% for model in ['opportunities', 'encounters', 'claims', 'supply_positions'] %}
    select provider_id, provider_name, {{ loop.first }} as is_described
    from {{ ref('stg_growth__' ~ model) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

counted as (
    select
        coalesce(provider_id, 'unknown') as provider_id,
        coalesce(provider_name, 'Unknown') as provider_name,
        is_described,
        count(*) as n_records
    from named
    group by all
),

final as (
    select
        provider_id,
        arg_max(provider_name, (is_described, n_records, provider_name)) as provider_name,
        not bool_or(is_described) as is_inferred
    from counted
    group by provider_id
)

select
    {{ growth_provider_key() }} as provider_key,
    *
from final
