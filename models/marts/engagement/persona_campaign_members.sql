-- Whom a campaign may address: those who agreed to marketing, and nobody else. HIPAA asks for it.
with people as (
    select * from {{ ref('fct_engagement') }}
    where
        is_current
        and has_marketing_consent
        and person_key not in (
            select person_key from {{ ref('person_departures') }}
            where has_left
        )
),

members as (
    select * from {{ ref('persona_members') }}
),

final as (
    select
        people.person_type,
        people.person_key,
        people.person_id,
        members.persona_number,
        names.persona_name,
        names.segment,
        members.is_reliable
    from people
    -- A person is in members once, a persona in names.
    inner join members on people.person_key = members.person_key
    inner join {{ ref('persona_names') }} as names
        on members.person_type = names.person_type and members.persona_number = names.persona_number
)

select * from final
order by person_type, persona_number, person_id
