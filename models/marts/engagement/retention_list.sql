-- Who came to an at-risk persona between the last two days of their type: a list of persons to
-- call, not a forecast.
with moves as (
    select
        *,
        max(to_date) over (partition by person_type) as last_date
    from {{ ref('persona_moves') }}
),

names as (
    select * from {{ ref('persona_names') }}
),

people as (
    select * from {{ ref('fct_engagement') }}
    where
        is_current
        and person_key not in (
            select person_key from {{ ref('person_departures') }}
            where has_left
        )
),

final as (
    select
        people.person_type,
        people.person_key,
        people.person_id,
        moves.from_date,
        moves.to_date,
        from_names.persona_name as from_persona,
        to_names.persona_name as to_persona,
        people.satisfaction_score,
        people.engagement_level,
        people.has_marketing_consent
    from moves
    -- A person, and a persona, is once in each.
    inner join people on moves.person_key = people.person_key
    inner join names as from_names
        on moves.person_type = from_names.person_type
            and moves.from_persona_number = from_names.persona_number
    inner join names as to_names
        on moves.person_type = to_names.person_type
            and moves.to_persona_number = to_names.persona_number
    where
        moves.to_date = moves.last_date
        and to_names.segment = 'At-Risk'
        and from_names.segment <> 'At-Risk'
)

select * from final
order by person_type, person_id
