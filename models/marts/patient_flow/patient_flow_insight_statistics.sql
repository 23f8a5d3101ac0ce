-- Sums that the tests behind patient flow's insights are made of. y is what is looked at, x what it
-- is set against. An hour is set against its own day, so that a busy day says nothing of it.
{{ config(materialized='table') }}
{% set label = "department || ' of hospital ' || hospital_id" %}

with arrivals as (
    select
        *,
        {{ label }} as department_name
    from {{ ref('expected_arrivals') }}
),

days as (
    select
        dayname(flow_date) as day_name,
        sum(n_admissions)::decimal(9, 0) as y,
        (flow_date - date '{{ var("calendar_start") }}')::decimal(9, 0) as x
    from arrivals
    group by flow_date
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

{# The types of a union are those of its columns together: only doubles keep every decimal. #}
sums (insight, group_name, n, y_sum, y_square_sum, x_sum, x_square_sum, xy_sum) as (
    {% for insight, group, expected in [
        ('demand_hour', "strftime(hour_at, '%H:00')", 'n_expected_evenly'),
        ('department_admissions', 'department_name', 'n_expected_evenly'),
        ('staffing_shift', 'shift', 'n_expected_by_plan'),
    ] %}
    select
        '{{ insight }}', {{ group }}, count(distinct flow_date), sum(n_admissions)::double,
        0::double, sum({{ expected }})::double, 0::double, 0::double
    from arrivals
    where {{ expected }} is not null
    group by all
    union all
    {% endfor %}
    {% for insight, group in [('demand_weekday', 'day_name'), ('demand_trend', "'all'")] %}
    select
        '{{ insight }}', {{ group }}, count(*), sum(y)::double, sum(y * y)::double,
        sum(x)::double, sum(x * x)::double, sum(x * y)::double
    from days
    group by all
    union all
    {% endfor %}
    {% for insight, n, y, y_square in [
        ('department_throughput', 'n_admissions - n_end_unknown', 'n_discharges', '0'),
        ('department_stay', 'n_stay_known', 'length_of_stay_hours_total',
         'length_of_stay_hours_square_total'),
        ('department_wait', 'n_wait_known', 'wait_minutes_total', 'wait_minutes_square_total'),
    ] %}
    select
        '{{ insight }}', department_name, sum({{ n }}), sum({{ y }})::double,
        sum({{ y_square }})::double, 0::double, 0::double, 0::double
    from hours
    group by department_name
    having sum({{ n }}) > 0
    union all
    {% endfor %}
    select
        'department_' || if(measure = 'wait', 'wait_risk', 'stay_risk'), {{ label }}, n_known,
        n_beyond_target::double, 0::double, 0::double, 0::double, 0::double
    from {{ ref('experience_risk') }}
    where n_known > 0
)

select * replace (n::bigint as n) from sums
order by insight, group_name
