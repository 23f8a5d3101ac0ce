-- Who the personas are: their names, sizes, and how far to trust the grouping.
{{ config(meta={'publish': 'internal'}) }}

with names as (
    select * from {{ ref('persona_names') }}
),

segments as (
    select * from {{ ref('persona_segments') }}
),

sizes as (
    select
        person_type,
        persona_number,
        count(*) as n_people,
        count(*) filter (where not is_in_fit) as n_assigned
    from {{ ref('persona_members') }}
    group by person_type, persona_number
),

stability as (
    select
        person_type,
        level::integer as persona_number,
        max(value) filter (component = 'jaccard') as jaccard,
        max(value) filter (component = 'silhouette_of') as silhouette
    from {{ ref('persona_fit') }}
    where component in ('jaccard', 'silhouette_of')
    group by person_type, level
),

verdicts as (
    select person_type, is_reliable, verdict from {{ ref('persona_validation') }}
),

final as (
    select
        names.person_type,
        names.persona_number,
        names.persona_name,
        names.name_by_rules,
        names.segment,
        segments.description,
        segments.business_segment,
        {{ unless_few('sizes.n_people', 'sizes.n_people') }} as n_people,
        {{ unless_few(
            'sizes.n_people::double / sum(sizes.n_people) over (partition by names.person_type)',
            'sizes.n_people'
        ) }} as share,
        {{ unless_few('sizes.n_assigned', 'sizes.n_assigned') }} as n_assigned,
        names.distinguishing_features,
        stability.silhouette,
        stability.jaccard,
        verdicts.is_reliable,
        verdicts.verdict
    from names
    -- One row per persona, segment and person type in these.
    left join sizes
        on names.person_type = sizes.person_type and names.persona_number = sizes.persona_number
    left join stability
        on names.person_type = stability.person_type
            and names.persona_number = stability.persona_number
    inner join verdicts on names.person_type = verdicts.person_type
    left join segments on names.segment = segments.segment
)

select * from final
order by person_type, persona_number
