-- What a departure may be foretold by, and whether the person left until the next day of the feed.
-- What comes next is unknown on the last day, and of who had left before.
with gaps as (
    select * from {{ ref('engagement_gaps') }}
),

days as (
    {{ days_of_feed('gaps') }}
),

final as (
    select
        gaps.person_type,
        gaps.person_key,
        gaps.as_of_date,
        gaps.is_current,
        case
            when days.next_date is null or departures.departed_on <= gaps.as_of_date then null
            else coalesce(departures.departed_on <= days.next_date, false)
        end as has_left,
        gaps.risk_by_weights,
        vectors.features,
        vectors.feature_values
    from gaps
    -- A day, a person, and a profile with its features, is once in each.
    left join days on gaps.person_type = days.person_type and gaps.as_of_date = days.as_of_date
    inner join {{ ref('person_departures') }} as departures
        on gaps.person_key = departures.person_key
    left join {{ ref('persona_vectors') }} as vectors
        on
            gaps.person_key = vectors.person_key
            and gaps.as_of_date is not distinct from vectors.as_of_date
)

select * from final
