-- The CRM knows no service line: what it says of a provider is shared out over the service lines by
-- their patients or their cost (growth_allocation). Running totals are rounded and not the parts, so
-- that the parts add up to the cent. What no encounter can carry stands with the unknown service line.
{% set amounts = ['opportunity_value', 'deals_value', 'marketing_cost'] %}
{% set weights = {'patients': 'total_patients', 'cost': 'total_cost'} %}

with encounters as (
    select * from {{ ref('fct_encounters') }}
    where provider_id is not null
),

providers as (
    select * from {{ ref('provider_metrics') }}
),

cells as (
    select
        provider_key,
        service_line,
        {{ encounter_totals() }}
    from encounters
    group by provider_key, service_line
),

weighted as (
    select
        providers.provider_key,
        providers.provider_name,
        {% for amount in amounts %}
        providers.{{ amount }} as total_{{ amount }},
        {% endfor %}
        coalesce(cells.service_line, 'Unknown') as service_line,
        coalesce(cells.n_encounters, 0) as n_encounters,
        coalesce(cells.total_patients, 0) as total_patients,
        cells.* exclude (provider_key, service_line, n_encounters, total_patients),
        coalesce(cells.{{ weights[var('growth_allocation')] }}, 0)::double as weight
    from providers
    -- A provider and service line is in cells once.
    left join cells on providers.provider_key = cells.provider_key
),

running as (
    select
        *,
        sum(weight) over (partition by provider_key) as total_weight,
        sum(weight) over (
            partition by provider_key order by service_line rows unbounded preceding
        ) as weight_up_to,
        row_number() over (partition by provider_key order by service_line) as place
    from weighted
),

final as (
    select
        * exclude (weight, total_weight, weight_up_to, place, {% for amount in amounts %}total_{{ amount }}{{ ', ' if not loop.last }}{% endfor %}),
        {% for amount in amounts %}
        {{ share_of('total_' ~ amount) }} as {{ amount }},
        {% endfor %}
        coalesce(total_opportunity_value, total_deals_value, total_marketing_cost) is not null as is_allocated
    from running
)

select
    *,
    {{ return_on('deals_value', 'marketing_cost') }} as pipeline_roi
from final
order by provider_name, provider_key, service_line
