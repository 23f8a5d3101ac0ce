-- Demand against the staffing plan. Needed are the patients there in an hour, on average, by the
-- number that one of the staff looks after; the peak is the shift's busiest hour of day. Hours that
-- no shift of the plan covers stand as not planned.
{{ config(materialized='view') }}

with hours as (
    select
        department_key,
        hour(hour_at)::integer as hour_of_day,
        count(*) as n_hours,
        sum(n_admissions)::bigint as n_admissions,
        sum(census)::bigint as census_hours
    from {{ ref('fct_department_hours') }}
    group by all
),

plans as (
    {{ staffing_plans() }}
),

shifts as (
    select
        hours.department_key,
        coalesce(plans.shift, 'Not planned') as shift,
        max(plans.planned_staff) as planned_staff,
        max(plans.patients_per_staff) as patients_per_staff,
        sum(hours.n_hours)::bigint as n_hours,
        sum(hours.n_admissions)::bigint as n_admissions,
        sum(hours.census_hours) / sum(hours.n_hours) as mean_census,
        max(hours.census_hours / hours.n_hours) as highest_census,
        first(
            hours.hour_of_day order by hours.census_hours / hours.n_hours desc, hours.hour_of_day
        ) as peak_hour_of_day
    from hours
    -- An hour of the day is in one shift at most: a test counts the hours.
    left join plans
        on
            hours.department_key = plans.department_key
            and hours.hour_of_day = plans.hour_of_day
    group by all
),

final as (
    select
        shifts.department_key,
        departments.hospital_id,
        departments.department,
        shifts.shift,
        shifts.planned_staff is not null as is_planned,
        shifts.n_hours,
        shifts.n_admissions,
        {{ round_half_up('shifts.n_admissions / shifts.n_hours', 4) }} as avg_admissions,
        {{ round_half_up('shifts.mean_census', 4) }} as avg_census,
        shifts.peak_hour_of_day,
        {{ round_half_up('shifts.highest_census', 4) }} as peak_census,
        shifts.planned_staff,
        {{ round_half_up('shifts.mean_census / shifts.patients_per_staff', 2) }} as needed_staff,
        {{ round_half_up('shifts.highest_census / shifts.patients_per_staff', 2) }}
            as needed_staff_at_peak,
        needed_staff - shifts.planned_staff as staff_gap,
        needed_staff_at_peak - shifts.planned_staff as staff_gap_at_peak,
        case
            when not is_planned then 'no plan'
            when staff_gap > 0 then 'short of staff'
            when staff_gap_at_peak > 0 then 'short at the peak'
            else 'enough staff'
        end as verdict
    from shifts
    -- department_key is unique on the right.
    inner join {{ ref('dim_department') }} as departments
        on shifts.department_key = departments.department_key
)

select * from final
order by hospital_id, department, shift
