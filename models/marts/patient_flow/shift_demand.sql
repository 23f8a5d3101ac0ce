-- Demand in the hours of a shift, beside the staff planned for it. Hours that no shift of the plan
-- covers are one shift, Not planned.
{{ config(materialized='view') }}

with department_hours as (
    select * from {{ ref('department_hours') }}
),

plans as (
    {{ staffing_plans() }}
),

hours as (
    select
        department_key,
        hour(hour_at)::integer as hour_of_day,
        count(*) as n_hours,
        count(n_admissions_timed) as n_arrival_hours,
        sum(n_admissions_timed)::bigint as n_admissions,
        sum(census_timed)::bigint as census_hours,
        census_hours / n_hours as mean_census
    from department_hours
    group by all
),

final as (
    select
        hours.department_key,
        coalesce(plans.shift, 'Not planned') as shift,
        max(plans.planned_staff) as planned_staff,
        max(plans.patients_per_staff) as patients_per_staff,
        sum(hours.n_hours)::bigint as n_hours,
        sum(hours.n_arrival_hours)::bigint as n_arrival_hours,
        sum(hours.n_admissions)::bigint as n_admissions,
        sum(hours.census_hours) / sum(hours.n_hours) as mean_census,
        max(hours.mean_census) as highest_census,
        first(hours.hour_of_day order by hours.mean_census desc, hours.hour_of_day asc)
        filter (hours.mean_census is not null) as peak_hour_of_day
    from hours
    -- An hour of the day is in one shift at most: a test counts the hours.
    left join plans
        on hours.department_key = plans.department_key and hours.hour_of_day = plans.hour_of_day
    group by all
)

select * from final
