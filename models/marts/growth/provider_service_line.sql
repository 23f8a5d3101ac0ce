-- The CRM knows no service line: what it says of a provider is shared out over the service lines by
-- their patients or, where known, their cost. Running totals are rounded and not the parts, so that
-- the parts add up. What a provider without encounters has stands with the unknown service line.
{% set amounts = ['opportunity_value', 'deals_value', 'marketing_cost'] %}
{% set unknowns = ['n_stay_unknown', 'n_satisfaction_unknown', 'n_cost_unknown'] %}
{% set counts = ['n_encounters', 'total_patients'] + unknowns %}
{% set weight = 'cells.total_' ~ var('growth_allocation') %}

with encounters as (
    select * from {{ ref('fct_encounters') }}
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
        {% for count in counts %}
        coalesce(cells.{{ count }}, 0) as {{ count }},
        {% endfor %}
        cells.* exclude (provider_key, service_line, {{ counts | join(', ') }}),
        case
            when sum({{ weight }}) over (partition by providers.provider_key) > 0
                then coalesce({{ weight }}, 0)
            else coalesce(cells.total_patients, 0)
        end::double as weight
    from {{ ref('provider_metrics') }} as providers
    -- A provider and service line is in cells once.
    left join cells on providers.provider_key = cells.provider_key
),

running as (
    select
        *,
        sum(weight) over (partition by provider_key) as total_weight,
        sum(weight) over (
            partition by provider_key order by service_line rows unbounded preceding
        ) as weight_up_to
    from weighted
),

final as (
    select
        * exclude (
            weight, total_weight, weight_up_to,
            total_{{ amounts | join(', total_') }}
        ),
        {% for amount in amounts %}
        {{ share_of('total_' ~ amount) }} as {{ amount }},
        {% endfor %}
        total_weight > 0
        and {{ 'coalesce(total_' ~ amounts | join(', total_') ~ ')' }} is not null as is_allocated,
        {{ return_on('deals_value', 'marketing_cost') }} as pipeline_roi
    from running
)

select * from final
order by provider_name, provider_key, service_line
