-- What the feeds say of each provider. What a feed would say that is not there is null, and not 0.
with providers as (
    select * from {{ ref('growth_providers') }}
    where provider_id <> 'unknown'
),

encounters as (
    select * from {{ ref('provider_encounter_totals') }}
),

opportunities as (
    select * from {{ ref('provider_opportunity_totals') }}
),

claims as (
    select * from {{ ref('provider_claim_totals') }}
),

supplies as (
    select * from {{ ref('provider_supply_totals') }}
),

delivered as (
    select
        (select count(*) > 0 from claims) as has_claims,
        (select count(*) > 0 from supplies) as has_supplies
),

final as (
    select
        providers.provider_key,
        providers.provider_name,
        coalesce(encounters.total_patients, 0) as total_patients,
        coalesce(encounters.n_encounters, 0) as n_encounters,
        encounters.avg_length_of_stay,
        encounters.avg_satisfaction,
        encounters.avg_cost,
        encounters.total_cost,
        {% for count in ['n_stay_unknown', 'n_satisfaction_unknown', 'n_cost_unknown'] %}
        coalesce(encounters.{{ count }}, 0) as {{ count }},
        {% endfor %}
        opportunities.* exclude (provider_key),
        opportunities.deals_value::double / nullif(encounters.total_patients, 0)
            as value_per_patient,
        opportunities.opportunity_value::double / nullif(encounters.total_patients, 0)
            as opportunity_per_patient,
        {% for count in ['total_visits', 'n_claims_denied', 'n_claims_pending'] %}
        case when delivered.has_claims then coalesce(claims.{{ count }}, 0) end as {{ count }},
        {% endfor %}
        claims.* exclude (provider_key, total_visits, n_claims_denied, n_claims_pending),
        supplies.daily_usage,
        supplies.quantity_on_hand,
        supplies.daily_usage::double / nullif(encounters.total_patients, 0) as supplies_per_patient,
        {% for count in ['n_supply_items', 'n_items_to_reorder'] %}
        case when delivered.has_supplies then coalesce(supplies.{{ count }}, 0) end as {{ count }},
        {% endfor %}
    from providers
    cross join delivered
    -- A provider is in each of them once.
    left join encounters on providers.provider_key = encounters.provider_key
    left join opportunities on providers.provider_key = opportunities.provider_key
    left join claims on providers.provider_key = claims.provider_key
    left join supplies on providers.provider_key = supplies.provider_key
)

select * from final
