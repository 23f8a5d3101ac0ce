-- Each service line's encounters in the newest period and in the one before it: years where the
-- data hold two of them, else halves of what they hold.
{{ config(materialized='view') }}

with history as (
    select
        last_date,
        least(365, (last_date - first_date + 1) // 2) as n_days
    from {{ ref('growth_history') }}
),

encounters as (
    select * from {{ ref('fct_encounters') }}
),

final as (
    select
        encounters.service_line_key,
        any_value(history.n_days) as n_days,
        any_value(history.last_date) as as_of_date,
        count(*) filter (
            encounters.admission_date > history.last_date - history.n_days::integer
        ) as n_newest,
        count(*) filter (
            encounters.admission_date <= history.last_date - history.n_days::integer
            and encounters.admission_date > history.last_date - 2 * history.n_days::integer
        ) as n_before
    from encounters
    cross join history
    group by encounters.service_line_key
)

select * from final
