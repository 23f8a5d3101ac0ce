-- Sums behind the insights on arrivals. An observation is a day, not a patient: so a day unlike the
-- others counts as one, and says little of the hour or the department. y is the day's arrivals, for
-- a shift those per arrival that its plan expects; x is the number of the day.
{{ config(materialized='view') }}

-- The groups that an hour belongs to, each under the insight that compares such groups.
with arrivals as (
    select
        n_admissions,
        n_admissions_timed,
        n_expected_by_plan,
        flow_date,
        strftime(hour_at, '%H:00') as demand_hour,
        dayname(flow_date) as demand_weekday,
        'all' as demand_trend,
        {{ department_title() }} as department_admissions,
        shift as staffing_shift
    from {{ ref('arrivals_by_plan') }}
),

-- An hour that no shift of the plan covers is in no group of staffing_shift.
grouped as (
    unpivot arrivals
    on demand_hour, demand_weekday, demand_trend, department_admissions, staffing_shift
    into name insight value group_name
),

days as (
    select
        insight,
        group_name,
        (flow_date - date '{{ var("calendar_start") }}')::decimal(9, 0) as x,
        case insight
            when 'staffing_shift' then sum(n_admissions_timed) / nullif(sum(n_expected_by_plan), 0)
            when 'demand_hour' then sum(n_admissions_timed)
            else sum(n_admissions)
        end::decimal(18, 4) as y
    from grouped
    group by insight, group_name, flow_date
),

final as (
    select
        insight,
        group_name,
        count(y) as n,
        sum(y)::double as y_sum,
        sum(y * y)::double as y_square_sum,
        sum(x)::double as x_sum,
        sum(x * x)::double as x_square_sum,
        sum(x * y)::double as xy_sum
    from days
    where y is not null
    group by insight, group_name
)

select * from final
