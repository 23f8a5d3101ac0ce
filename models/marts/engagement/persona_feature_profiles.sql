-- What each persona is like: the values as they were delivered, neither filled nor drawn in.
{{ config(meta={'publish': 'internal'}) }}

with people as (
    select * from {{ ref('persona_values') }}
    where is_current
),

members as (
    select * from {{ ref('persona_members') }}
),

centres as (
    select * from {{ ref('persona_centres') }}
),

summed as (
    select
        members.person_type,
        members.persona_number,
        people.feature,
        count(*) as n_people,
        count(people.value) as n_known,
        {{ ordered_mean('people.value') }} as mean_value,
        {{ ordered_deviation('people.value') }} as deviation,
        quantile_cont(people.value, 0.5) as median_value
    from people
    -- A person is in members once.
    inner join members on people.person_key = members.person_key
    group by members.person_type, members.persona_number, people.feature
),

final as (
    select
        summed.person_type,
        summed.persona_number,
        names.persona_name,
        summed.feature,
        {% for figure in ['n_known', 'mean_value', 'deviation', 'median_value'] %}
        {{ unless_few('summed.' ~ figure, 'summed.n_known') }} as {{ figure }},
        {% endfor %}
        {{ unless_few('centres.centre', 'summed.n_people') }} as centre,
        {{ unless_few('centres.standardised_difference', 'summed.n_people') }}
            as standardised_difference,
        centres.distinction
    from summed
    -- One row per persona and feature in centres, one per persona in names.
    inner join centres
        on
            summed.person_type = centres.person_type
            and summed.persona_number = centres.persona_number
            and summed.feature = centres.feature
    inner join {{ ref('persona_names') }} as names
        on summed.person_type = names.person_type and summed.persona_number = names.persona_number
)

select * from final
order by person_type, persona_number, distinction
