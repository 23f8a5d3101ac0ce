-- Sums behind the insights on departments: an observation is a stay. y is hours or minutes, or 1
-- for a stay that ended or went beyond its target, where the test needs no squares.
{{ config(materialized='view') }}

with hours as (
    select * from {{ ref('department_hours') }}
),

departments as (
    select department_key, {{ department_title() }} as title from {{ ref('dim_department') }}
),

risks as (
    select *, {{ department_title() }} as title from {{ ref('experience_risk') }}
),

totals as (
    select
        departments.title,
        sum(hours.n_admissions - hours.n_end_unknown) as n_end_known,
        sum(hours.n_discharges)::double as n_discharges,
        sum(hours.n_stay_known) as n_stay_known,
        sum(hours.length_of_stay_hours_total)::double as stay_sum,
        sum(hours.length_of_stay_hours_square_total)::double as stay_square_sum,
        sum(hours.n_wait_known) as n_wait_known,
        sum(hours.wait_minutes_total)::double as wait_sum,
        sum(hours.wait_minutes_square_total)::double as wait_square_sum
    from hours
    -- department_key is unique on the right.
    inner join departments on hours.department_key = departments.department_key
    group by departments.title
),

sums (insight, group_name, n, y_sum, y_square_sum) as (
    -- Where no discharge is known at all, nothing is known of any department's.
    select
        'department_throughput', title,
        if(sum(n_discharges) over () > 0, n_end_known, 0), n_discharges, 0
    from totals
    union all
    select 'department_stay', title, n_stay_known, stay_sum, stay_square_sum from totals
    union all
    select 'department_wait', title, n_wait_known, wait_sum, wait_square_sum from totals
    union all
    select 'department_stay_risk', title, n_known, n_beyond_target, 0 from risks
    where measure = 'length of stay'
    union all
    select 'department_wait_risk', title, n_known, n_beyond_target, 0 from risks
    where measure = 'wait'
),

final as (
    select
        insight, group_name, n::bigint as n, y_sum, y_square_sum,
        0::double as x_sum, 0::double as x_square_sum, 0::double as xy_sum
    from sums
    where n > 0 or insight = 'department_throughput'
)

select * from final
