-- How many went from one persona to another between two days, held against how many are labelled
-- otherwise by a fit of other samples of the first day, when no time passes. It foretells nothing.
{{ config(meta={'publish': 'internal'}) }}

with moves as (
    select
        person_type,
        from_date,
        to_date,
        from_persona_number,
        to_persona_number,
        count(*) as n_people
    from {{ ref('persona_moves') }}
    group by person_type, from_date, to_date, from_persona_number, to_persona_number
),

noise as (
    select
        person_type,
        level::integer as from_persona_number,
        feature::integer as to_persona_number,
        value as noise_share
    from {{ ref('persona_fit') }}
    where component = 'first_noise'
),

names as (
    select * from {{ ref('persona_names') }}
),

totals as (
    select
        moves.*,
        sum(n_people) over (
            partition by person_type, from_date, to_date, from_persona_number
        )::bigint as n_from,
        coalesce(noise.noise_share, 0) as noise_share
    from moves
    -- One row per pair of personas on the right.
    left join noise using (person_type, from_persona_number, to_persona_number)
),

final as (
    select
        totals.person_type,
        totals.from_date,
        totals.to_date,
        totals.from_persona_number,
        from_names.persona_name as from_persona,
        totals.to_persona_number,
        to_names.persona_name as to_persona,
        {{ unless_few('totals.n_from', 'totals.n_from') }} as n_from,
        {{ unless_few('totals.n_people', 'totals.n_people') }} as n_people,
        {{ rate_with_interval('totals.n_people', 'totals.n_from', 'share') }},
        totals.noise_share,
        case
            when totals.from_persona_number = totals.to_persona_number then 'stayed'
            when share_low > totals.noise_share then 'more than noise'
            else 'no more than noise'
        end as verdict
    from totals
    -- One row per persona on the right.
    left join names as from_names
        on totals.person_type = from_names.person_type and totals.from_persona_number = from_names.persona_number
    left join names as to_names
        on totals.person_type = to_names.person_type and totals.to_persona_number = to_names.persona_number
)

select * from final
order by person_type, from_date, from_persona_number, to_persona_number
