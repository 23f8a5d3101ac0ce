-- How many people each persona has. No share beside it: with the number it would tell how many
-- people of the type there are, and so how many a hidden persona has. No number of the persona
-- either: personas are numbered by size.
with members as (
    select * from {{ ref('persona_members') }}
),

names as (
    select * from {{ ref('persona_names') }}
),

sizes as (
    select
        person_type,
        persona_number,
        count(*) as n_people
    from members
    group by person_type, persona_number
),

final as (
    select
        sizes.person_type,
        names.persona_name,
        sizes.n_people
    from sizes
    -- A persona is in names once.
    inner join names
        on sizes.person_type = names.person_type and sizes.persona_number = names.persona_number
)

select * from final
order by person_type, persona_name
