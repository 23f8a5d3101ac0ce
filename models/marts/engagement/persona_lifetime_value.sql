-- What a member of each persona brings over the years to come, on average: annual value times
-- discounted survival. It is no prediction for a person, and no more than an assumption where
-- departures are not known.
{{ config(meta={'publish': 'internal'}) }}

{% set horizon = lifetime_horizon() %}

with lifetimes as (
    select * from {{ ref('persona_lifetime') }}
),

personas as (
    select * from {{ ref('persona_profiles') }}
),

final as (
    select
        personas.person_type,
        personas.persona_number,
        personas.persona_name,
        personas.segment,
        {{ unless_few('lifetimes.n_people', 'lifetimes.n_people') }} as n_people,
        {{ unless_few('lifetimes.n_value_known', 'lifetimes.n_value_known') }} as n_value_known,
        {{ unless_few('lifetimes.n_departures', 'lifetimes.n_departures') }} as n_departures,
        {{ known_number('lifetimes.observed_years') }} as observed_years,
        {% for amount in [
            'mean_annual_value', 'lifetime_value', 'lifetime_value_low', 'lifetime_value_high'
        ] %}
        {{ round_half_up(known_number('lifetimes.' ~ amount), 2) }} as {{ amount }},
        {% endfor %}
        {{ known_number('lifetimes.discounted_years') }} as discounted_years,
        {{ horizon.years }}::double as horizon_years,
        {{ horizon.rate }}::double as discount_rate,
        lifetimes.retention_source,
        personas.is_reliable
    from personas
    -- A persona is in lifetimes once.
    inner join lifetimes
        on
            personas.person_type = lifetimes.person_type
            and personas.persona_number = lifetimes.persona_number
)

select * from final
order by person_type, persona_number
