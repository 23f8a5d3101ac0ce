-- The last 48 hours of each department, hour by hour up to now. Made of hours, not of stays: the
-- census is what all earlier hours left, and what came and went since.
{{ config(materialized='view') }}

with newest as (
    {{ newest_flow() }}
),

departments as (
    select * from {{ ref('dim_department') }}
),

flows as (
    select *, {{ census_gain() }} as gain from {{ ref('department_hour_flows') }}
),

hours as (
    select
        departments.department_key, departments.hospital_id, departments.department,
        unnest(generate_series(
            date_trunc('hour', newest.now_at) - interval 47 hour,
            date_trunc('hour', newest.now_at),
            interval 1 hour
        )) as hour_at
    from departments
    -- newest is one row.
    cross join newest
),

earlier as (
    select department_key, sum(gain) as census
    from flows
    where hour_at < (select min(hour_at) from hours)
    group by department_key
),

-- Nobody stays so long: when these patients left is unknown.
overdue as (
    select department_key, count(*) as n_overdue
    from {{ ref('fct_patient_stays') }}
    where
        is_stay_credible and discharged_at is null
        and admitted_at < (select now_at from newest) - to_days({{ var('maximum_stay_days') }})
    group by department_key
),

final as (
    select
        hours.department_key, hours.hospital_id, hours.department, hours.hour_at,
        coalesce(flows.n_admissions, 0) as n_admissions,
        coalesce(flows.n_discharges, 0) as n_discharges,
        case
            when {{ is_delivered('patient_flow', 'patient_events', 'discharge_time') }} then
                coalesce(earlier.census, 0) - coalesce(overdue.n_overdue, 0)
                + sum(coalesce(flows.gain, 0)) over (
                    partition by hours.department_key order by hours.hour_at
                )
        end::bigint as census,
        coalesce(flows.n_wait_known, 0) as n_wait_known,
        {{ round_half_up('flows.wait_minutes_total / nullif(flows.n_wait_known, 0)', 2) }}
            as avg_wait_minutes
    from hours
    -- One row per department, and per department and hour, on each right side.
    left join flows using (department_key, hour_at)
    left join earlier using (department_key)
    left join overdue using (department_key)
)

select * from final
order by hospital_id, department, hour_at
