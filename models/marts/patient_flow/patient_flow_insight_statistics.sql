-- Sums that the tests behind patient flow's insights are made of. y is what is looked at, x what it
-- is set against. An observation of arrivals is a day, not a patient: so a day unlike the others
-- counts as one, and says little of the hour or the department.
{{ config(materialized='table') }}
{% set label = "department || ' of hospital ' || hospital_id" %}

with arrivals as (
    select
        *,
        {{ label }} as department_name
    from {{ ref('arrivals_by_plan') }}
),

hours as (
    select
        hours.*,
        {{ label }} as department_name
    from {{ ref('fct_department_hours') }} as hours
    -- department_key is unique on the right.
    inner join {{ ref('dim_department') }} as departments
        on hours.department_key = departments.department_key
),

days as (
    {% for insight, group, y in [
        ('demand_hour', "strftime(hour_at, '%H:00')", 'sum(n_admissions)'),
        ('demand_weekday', 'dayname(flow_date)', 'sum(n_admissions)'),
        ('demand_trend', "'all'", 'sum(n_admissions)'),
        ('department_admissions', 'department_name', 'sum(n_admissions)'),
        ('staffing_shift', 'shift', 'sum(n_admissions) / nullif(sum(n_expected_by_plan), 0)'),
    ] %}
    select
        '{{ insight }}' as insight,
        {{ group }} as group_name,
        (flow_date - date '{{ var("calendar_start") }}')::decimal(9, 0) as x,
        ({{ y }})::decimal(18, 4) as y
    from arrivals
    where {{ group }} is not null
    group by {{ group }}, flow_date
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

{# The types of a union are those of its columns together: only doubles keep every decimal. #}
sums (insight, group_name, n, y_sum, y_square_sum, x_sum, x_square_sum, xy_sum) as (
    select
        insight, group_name, count(y), sum(y)::double, sum(y * y)::double,
        sum(x)::double, sum(x * x)::double, sum(x * y)::double
    from days
    where y is not null
    group by insight, group_name
    {% for insight, n, y, y_square in [
        ('department_throughput', 'n_admissions - n_end_unknown', 'n_discharges', '0'),
        ('department_stay', 'n_stay_known', 'length_of_stay_hours_total',
         'length_of_stay_hours_square_total'),
        ('department_wait', 'n_wait_known', 'wait_minutes_total', 'wait_minutes_square_total'),
    ] %}
    union all
    select
        '{{ insight }}', department_name, sum({{ n }}), sum({{ y }})::double,
        sum({{ y_square }})::double, 0::double, 0::double, 0::double
    from hours
    group by department_name
    having sum({{ n }}) > 0
    {% endfor %}
    union all
    select
        'department_' || if(measure = 'wait', 'wait_risk', 'stay_risk'), {{ label }}, n_known,
        n_beyond_target::double, 0::double, 0::double, 0::double, 0::double
    from {{ ref('experience_risk') }}
    where n_known > 0
)

select * replace (n::bigint as n) from sums
order by insight, group_name
