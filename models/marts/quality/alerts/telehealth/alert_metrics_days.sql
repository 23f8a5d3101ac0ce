-- Appointments of each of the last days, the clock's own day included. A day without any is told
-- apart from a day with few. Where the area holds no data, no day is missing anything.
{{ config(materialized='view') }}

with thresholds as (
    select * from {{ ref('alert_thresholds') }}
    where area = 'telehealth' and alert_type in ('few_appointments', 'day_without_appointments')
),

appointments as (
    select
        appointment_date,
        count(*) as n_appointments
    from {{ ref('fct_appointments') }}
    group by appointment_date
),

days as (
    select
        thresholds.area,
        thresholds.alert_type,
        dates.date_day
    from thresholds
    inner join {{ ref('dim_date') }} as dates
        on
            dates.date_day between ({{ as_of() }})::date - thresholds.window_days
            and ({{ as_of() }})::date
    where exists (select 1 from appointments)
),

final as (
    select
        days.area,
        days.alert_type,
        'appointments on ' || days.date_day as metric,
        coalesce(appointments.n_appointments, 0)::double as value,
        coalesce(appointments.n_appointments, 0) as n,
        {{ as_of() }} as as_of
    from days
    -- One row per day on the right.
    left join appointments on days.date_day = appointments.appointment_date
    where
        (days.alert_type = 'day_without_appointments') = (appointments.appointment_date is null)
)

select * from final
