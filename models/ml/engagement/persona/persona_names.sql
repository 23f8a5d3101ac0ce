-- A persona is called by its segment, and by what sets it apart where the segment alone would not
-- tell. Whose people mostly stay keeps the name of the last build, as long as its segment exists.
with personas as (
    select * from {{ ref('persona_segment_matches') }}
),

kept as (
    select person_type, level::integer as persona_number
    from {{ ref('persona_fit') }}
    where component = 'kept' and value = 1
),

last_names as (
    select last_build.*
    from ({{ names_of_last_build() }}) as last_build
    inner join kept using (person_type, persona_number)
    where
        exists (
            select segments.segment from {{ ref('persona_segments') }} as segments
            where starts_with(last_build.persona_name, segments.segment)
        )
),

candidates as (
    select
        *,
        case
            when segment = 'Moderate' or count(*) over (partition by person_type, segment) > 1
                then segment || ': ' || most_distinguishing
            else segment
        end as short_name,
        segment || ': ' || distinguishing_features as long_name
    from personas
),

named as (
    select
        candidates.*,
        last_names.persona_name as kept_name,
        case
            when count(*) over (partition by candidates.person_type, short_name) = 1 then short_name
            when count(*) over (partition by candidates.person_type, long_name) = 1 then long_name
            else long_name || ' (' || candidates.persona_number || ')'
        end as name_by_rules
    from candidates
    -- A persona is in last_names once at most.
    left join last_names using (person_type, persona_number)
),

final as (
    select
        person_type,
        persona_number,
        case
            when kept_name is not null then kept_name
            -- The name is another's already.
            when (person_type, name_by_rules) in (
                    select (person_type, kept_name) from named
                    where kept_name is not null
                )
                then name_by_rules || ' (' || persona_number || ')'
            else name_by_rules
        end as persona_name,
        name_by_rules,
        segment,
        distinguishing_features
    from named
)

select * from final
