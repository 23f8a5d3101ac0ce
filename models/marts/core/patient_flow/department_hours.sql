-- Every hour of a department from its first admission to the last thing known to have happened
-- anywhere, hours without events too. A view: the census is the sum of all that came and went
-- before, which no stored row could hold without being written again with every late event.
{{ config(materialized='view') }}

with flows as (
    select * from {{ ref('department_hour_flows') }}
),

departments as (
    select
        department_key,
        min(hour_at) filter (n_admissions > 0) as first_hour_at
    from flows
    group by department_key
),

hours as (
    select
        department_key,
        unnest(generate_series(
            first_hour_at, (select max(last_known_at) from flows), interval 1 hour
        )) as hour_at
    from departments
),

final as (
    select
        department_key, hour_at,
        coalesce(n_admissions, 0) as n_admissions,
        coalesce(n_end_unknown, 0) as n_end_unknown,
        coalesce(n_discharges, 0) as n_discharges,
        (sum(coalesce(n_admissions - n_end_unknown - n_discharges, 0)) over (
            partition by department_key order by hour_at
        ))::bigint as census,
        coalesce(n_wait_known, 0) as n_wait_known,
        coalesce(wait_minutes_total, 0) as wait_minutes_total,
        coalesce(wait_minutes_square_total, 0) as wait_minutes_square_total,
        median_wait_minutes,
        ninetieth_percentile_wait_minutes,
        coalesce(n_stay_known, 0) as n_stay_known,
        coalesce(length_of_stay_hours_total, 0) as length_of_stay_hours_total,
        coalesce(length_of_stay_hours_square_total, 0) as length_of_stay_hours_square_total,
        median_length_of_stay_hours,
        ninetieth_percentile_length_of_stay_hours
    from hours
    -- One row per department and hour on each side.
    left join flows using (department_key, hour_at)
)

select * from final
