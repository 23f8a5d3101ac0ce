-- What to do for each persona, by the seed persona_playbook. What it might bring is reckoned from
-- the assumptions that stand beside it, and is no fact: nobody has tried it here.
{{ config(meta={'publish': 'internal'}) }}

with personas as (
    select * from {{ ref('persona_profiles') }}
),

playbook as (
    select * from {{ ref('persona_playbook') }}
),

amounts as (
    select
        members.person_type,
        members.persona_number,
        {{ unless_few(
            'avg(people.annual_value_amount)::double', 'count(people.annual_value_amount)'
        ) }} as mean_annual_value
    from {{ ref('persona_members') }} as members
    -- A person is in people once.
    inner join {{ ref('fct_engagement') }} as people
        on members.person_key = people.person_key and people.is_current
    group by members.person_type, members.persona_number
),

reckoned as (
    select
        personas.person_type,
        personas.persona_number,
        personas.persona_name,
        personas.segment,
        playbook.* exclude (person_type, segment),
        personas.n_people,
        personas.n_people * playbook.reach_share as n_reached,
        amounts.mean_annual_value,
        n_reached * playbook.cost_per_person as cost_amount,
        {% for end in ['low', 'high'] %}
        n_reached * amounts.mean_annual_value * playbook.effect_{{ end }} as gain_{{ end }},
        {% endfor %}
        personas.is_reliable
    from personas
    -- A persona is in amounts once; one row for each step in the playbook.
    inner join playbook
        on personas.segment = playbook.segment and personas.person_type = playbook.person_type
    left join amounts
        on
            personas.person_type = amounts.person_type
            and personas.persona_number = amounts.persona_number
),

final as (
    select
        * exclude (n_reached, cost_amount, gain_low, gain_high, is_reliable),
        {% for amount in ['n_reached', 'cost_amount', 'gain_low', 'gain_high'] %}
        {{ round_half_up(amount, 0 if amount == 'n_reached' else 2) }}::
        {{- 'bigint' if amount == 'n_reached' else 'decimal(18, 2)' }} as {{ amount }},
        {% endfor %}
        {% for end in ['low', 'high'] %}
        gain_{{ end }} / nullif(cost_amount, 0) - 1 as projected_roi_{{ end }},
        {% endfor %}
        is_reliable
    from reckoned
)

select * from final
order by person_type, persona_number, step
