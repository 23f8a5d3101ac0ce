-- When patients come: an hour of a weekday that has passed counts, with or without arrivals, unless
-- nobody can tell whether there were any.
{{ config(materialized='view') }}

with hours as (
    select * from {{ ref('department_hours') }}
),

departments as (
    select * from {{ ref('dim_department') }}
),

counted as (
    select
        department_key,
        isodow(hour_at)::integer as iso_day_of_week,
        dayname(hour_at) as day_name,
        hour(hour_at)::integer as hour_of_day,
        count(*) as n_hours,
        count(n_admissions_timed) as n_arrival_hours,
        sum(n_admissions_timed)::bigint as n_admissions,
        sum(n_discharges_timed)::bigint as n_discharges,
        sum(census_timed)::bigint as census_hours
    from hours
    group by all
),

final as (
    select
        counted.department_key,
        departments.hospital_id,
        departments.department,
        counted.iso_day_of_week,
        counted.day_name,
        counted.hour_of_day,
        counted.n_hours,
        counted.n_admissions,
        counted.n_discharges,
        {{ round_half_up('counted.n_admissions / nullif(counted.n_arrival_hours, 0)', 4) }}
            as avg_admissions,
        {{ round_half_up('counted.n_discharges / counted.n_hours', 4) }} as avg_discharges,
        {{ round_half_up('counted.census_hours / counted.n_hours', 4) }} as avg_census
    from counted
    -- department_key is unique on the right.
    inner join departments on counted.department_key = departments.department_key
)

select * from final
order by hospital_id, department, iso_day_of_week, hour_of_day
