-- Who is in a department now, which is when anything last happened anywhere. Read after every cycle
-- of a stream: by their times, most of a long history is passed over.
{{ config(materialized='view') }}

with newest as (
    {{ newest_flow() }}
),

targets as (
    select
        department_key, hospital_id, department,
        max(target) filter (measure = 'wait') as wait_target_minutes,
        max(target) filter (measure = 'length of stay') as stay_target_hours
    from ({{ department_targets() }})
    group by all
),

stays as (
    select
        department_key, wait_minutes,
        is_admission_credible and admitted_at > now_at - interval 1 hour as is_new,
        is_stay_credible and not is_discharge_planned and discharged_at <= now_at
        and discharged_at > now_at - interval 1 hour as has_just_left,
        is_stay_credible and not {{ is_too_long('now_at') }}
        and coalesce(discharged_at > now_at, true) as is_in,
        (epoch_us(now_at) - epoch_us(admitted_at)) / 3.6e9 as hours_so_far
    from {{ ref('fct_patient_stays') }}
    -- newest is one row.
    cross join newest
    where
        admitted_at <= (select now_at from newest)
        and admitted_at >= (select now_at from newest) - to_days({{ var('maximum_stay_days') }})
        and (
            discharged_at is null
            or greatest(admitted_at, discharged_at) > (select now_at from newest) - interval 1 hour
        )
),

final as (
    select
        targets.department_key, targets.hospital_id, targets.department, newest.now_at,
        case
            when {{ is_delivered('patient_flow', 'patient_events', 'discharge_time') }}
                then count(*) filter (is_in)
        end as census,
        count(*) filter (is_new) as n_admissions_last_hour,
        count(*) filter (has_just_left) as n_discharges_last_hour,
        count(*) filter (is_in and wait_minutes is null) as n_wait_unknown,
        count(*) filter (is_in and wait_minutes > wait_target_minutes) as n_waited_beyond_target,
        count(*) filter (is_in and hours_so_far > stay_target_hours) as n_stayed_beyond_target
    from targets
    -- newest is one row; each stay has one department.
    cross join newest
    left join stays using (department_key)
    group by all
)

select * from final
order by hospital_id, department
