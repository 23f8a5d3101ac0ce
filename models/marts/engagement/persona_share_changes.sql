-- How the share of each persona changed from day to day, by the fit of the first day, and what of
-- it is beyond chance and relabelling. Few people count as as many as may just not be shown.
{{ config(meta={'publish': 'internal'}) }}

with shares as (
    select
        person_type,
        persona_number,
        as_of_date,
        count(*) as n_people,
        sum(count(*)) over (partition by person_type, as_of_date)::bigint as n_all,
        n_people / n_all as share,
        greatest(n_people, {{ var('minimum_cell_size') }} - 1) / n_all as least_share
    from {{ ref('persona_positions') }}
    group by person_type, persona_number, as_of_date
),

noise as (
    select
        person_type,
        level::integer as persona_number,
        sum(value) filter (where feature <> level) as share_relabelled
    from {{ ref('persona_fit') }}
    where component = 'first_noise'
    group by person_type, level
),

changes as (
    select
        *,
        lag(n_people) over persona as last_n_people,
        lag(share) over persona as last_share,
        lag(least_share) over persona as last_least_share,
        lag(n_all) over persona as last_n,
        as_of_date = max(as_of_date) over (partition by person_type) as is_newest
    from shares
    window persona as (partition by person_type, persona_number order by as_of_date)
),

final as (
    select
        changes.person_type,
        changes.persona_number,
        names.persona_name,
        changes.as_of_date,
        changes.is_newest,
        {{ unless_few('changes.n_people', 'changes.n_people') }} as n_people,
        {{ unless_few('changes.share', 'changes.n_people') }} as share,
        {{ unless_few(
            'changes.share - changes.last_share', 'least(changes.n_people, changes.last_n_people)'
        ) }} as change,
        case
            when least(changes.n_all, changes.last_n) >= {{ var('minimum_cell_size') }} then
                abs(changes.least_share - changes.last_least_share)
                - 1.96 * sqrt(
                    changes.least_share * (1 - changes.least_share) / changes.n_all
                    + changes.last_least_share * (1 - changes.last_least_share) / changes.last_n
                )
                - coalesce(noise.share_relabelled, 0) * changes.last_least_share
        end as change_beyond_noise
    from changes
    -- A persona is in each once.
    left join {{ ref('persona_names') }} as names
        on changes.person_type = names.person_type and changes.persona_number = names.persona_number
    left join noise
        on changes.person_type = noise.person_type and changes.persona_number = noise.persona_number
)

select * from final
order by person_type, persona_number, as_of_date
