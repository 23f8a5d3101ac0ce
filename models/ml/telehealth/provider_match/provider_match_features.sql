-- Appointments of providers whose specialty is known, by the need that each answered to, with how
-- they went. Several answers about one visit count as their mean.
with appointments as (
    select * from {{ ref('fct_appointments') }}
),

feedback as (
    select
        appointment_id,
        avg(overall_satisfaction)::decimal(18, 4) as overall_satisfaction
    from {{ ref('fct_appointment_feedback') }}
    group by appointment_id
),

final as (
    select
        appointments.appointment_id,
        appointments.appointment_date,
        appointments.scheduled_minute_of_day,
        appointments.provider_key,
        providers.specialty,
        times.day_part,
        appointments.device_type,
        appointments.is_completed,
        appointments.wait_minutes,
        appointments.has_technical_issues,
        feedback.overall_satisfaction
    from appointments
    -- One row per provider, minute and appointment on the right.
    inner join {{ ref('dim_provider') }} as providers
        on appointments.provider_key = providers.provider_key and providers.specialty is not null
    inner join {{ ref('dim_time') }} as times
        on appointments.scheduled_minute_of_day = times.minute_of_day
    left join feedback on appointments.appointment_id = feedback.appointment_id
)

select * from final
