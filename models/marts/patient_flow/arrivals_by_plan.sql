-- Arrivals of an hour, and what they would be if the department's patients came as its staff is
-- planned. Whole days only: the first day begins, and the last of which arrivals are known ends,
-- with an event. Of the days before the first event only those arrivals are known whose patients
-- were still there.
{{ config(materialized='view') }}

with department_hours as (
    select * from {{ ref('department_hours') }}
),

departments as (
    select * from {{ ref('dim_department') }}
),

stream as (
    select min(first_event_at)::date as first_event_date from {{ ref('fct_patient_stays') }}
),

plans as (
    {{ staffing_plans() }}
),

hours as (
    select
        department_hours.*,
        hour_at::date as flow_date,
        hour(hour_at)::integer as hour_of_day,
        flow_date > greatest(min(flow_date) over (), stream.first_event_date)
        and flow_date < max(flow_date) filter (n_admissions is not null) over () as is_whole_day
    from department_hours
    -- stream is one row.
    cross join stream
),

final as (
    select
        hours.department_key,
        departments.hospital_id,
        departments.department,
        hours.hour_at,
        hours.flow_date,
        plans.shift,
        hours.n_admissions,
        hours.n_admissions_timed,
        (
            sum(hours.n_admissions_timed) over same_plan * plans.planned_staff
            / nullif(sum(plans.planned_staff) over same_plan, 0)
        )::decimal(18, 6) as n_expected_by_plan
    from hours
    -- department_key is unique on the right; an hour of the day is in one shift at most.
    inner join departments on hours.department_key = departments.department_key
    left join plans
        on hours.department_key = plans.department_key and hours.hour_of_day = plans.hour_of_day
    where hours.is_whole_day
    window same_plan as (partition by hours.department_key, plans.shift is null)
)

select * from final
