-- Who left, and for how long each was seen. Somebody leaves on the day that the newest profile
-- tells, or on the first day of the feed without the person that names most others again. A feed
-- that names people who had left before their first profile is complete, and time begins with each
-- one's first day. Any other is of those still there at its first day, when time begins, or whoever
-- stayed would make it look safe.
{% do lifetime_horizon() %} -- refused before anything is computed

with profiles as (
    select * from {{ ref('fct_engagement') }}
),

days as (
    {{ days_of_feed('profiles') }}
),

people as (
    select
        person_type,
        person_key,
        min(as_of_date) as first_date,
        max(as_of_date) as last_date,
        min(first_seen_date) as first_seen_date,
        max(left_date) filter (where is_current) as told_date,
        max(annual_value_amount) filter (where is_current) as annual_value_amount
    from profiles
    group by person_type, person_key
),

departed as (
    select
        people.*,
        coalesce(people.told_date, days.next_date) as departed_on,
        coalesce(
            max(days.last_date) over (partition by people.person_type),
            max(people.last_date) over (partition by people.person_type),
            max(people.told_date) over (partition by people.person_type)
        ) as end_date,
        bool_or(people.first_date is null or people.told_date <= people.first_date)
            over (partition by people.person_type) as is_complete
    from people
    -- A day is in days once for each person type.
    left join days on people.person_type = days.person_type and people.last_date = days.as_of_date
),

timed as (
    select
        *,
        coalesce(departed_on <= end_date, false) as has_left,
        case
            when coalesce(is_complete, false) then first_seen_date
            else greatest(first_date, coalesce(first_seen_date, first_date))
        end as start_date,
        case when has_left then departed_on else end_date end as stop_date
    from departed
),

final as (
    select
        person_type,
        person_key,
        case when has_left then departed_on end as departed_on,
        has_left,
        case
            when stop_date >= start_date then {{ dbt.datediff('start_date', 'stop_date', 'day') }}
        end as days_seen,
        annual_value_amount
    from timed
)

select * from final
