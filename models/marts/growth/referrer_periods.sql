-- Each provider's encounters of late and in the year before it, by day.
{{ config(materialized='view') }}

with history as (
    select * from {{ ref('growth_history') }}
),

encounters as (
    select * from {{ ref('fct_encounters') }}
    where provider_id is not null
),

final as (
    select
        encounters.provider_key,
        count(*) filter (encounters.admission_date >= history.recent_from) as n_recent,
        count(*) filter (
            encounters.admission_date >= history.earlier_from
            and encounters.admission_date < history.recent_from
        ) as n_earlier,
        min(encounters.admission_date) as first_admission_date,
        max(encounters.admission_date) as last_admission_date,
        any_value(history.last_date) as as_of_date,
        any_value(history.is_long_enough) as is_history_long_enough
    from encounters
    cross join history
    group by encounters.provider_key
)

select * from final
