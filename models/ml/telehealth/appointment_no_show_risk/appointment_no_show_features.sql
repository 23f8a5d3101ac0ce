-- What is known when an appointment is booked. A patient's history is what lies strictly before the
-- appointment; the device is that of the visit before: nobody knows what will be used. No feed
-- says when a booking was made, so there is no lead time, and earlier appointments count as over.
with appointments as (
    select
        *,
        (appointment_date - date '1970-01-01') * 1440 + scheduled_minute_of_day as minute_of_epoch,
        appointment_status = 'No-show' as is_no_show
    from {{ ref('fct_appointments') }}
),

history as (
    select
        *,
        count(*) over earlier as n_prior_appointments,
        count(*) filter (is_no_show) over earlier as n_prior_no_shows,
        max(struct_pack(
            minute_of_epoch := minute_of_epoch,
            appointment_id := appointment_id,
            device_type := device_type
        )) over earlier as previous_appointment
    from appointments
    window
        earlier as (
            partition by patient_key
            order by minute_of_epoch
            range between unbounded preceding and 1 preceding
        )
),

final as (
    select
        history.appointment_id,
        history.appointment_date,
        history.scheduled_minute_of_day,
        history.is_no_show,
        history.appointment_type,
        days.day_name,
        lpad((history.scheduled_minute_of_day // 60)::varchar, 2, '0') as scheduled_hour,
        coalesce(history.previous_appointment['device_type'], 'None before')
            as previous_device_type,
        coalesce(patients.age_group, 'Unknown') as age_group,
        case patients.has_insurance
            when true then 'Insured'
            when false then 'Uninsured'
            else 'Unknown'
        end as insurance,
        coalesce(providers.specialty, 'Unknown') as specialty,
        history.n_prior_appointments,
        history.n_prior_no_shows
    from history
    -- One row per day, patient and provider on the right; none is missing.
    inner join {{ ref('dim_date') }} as days on history.appointment_date = days.date_day
    inner join {{ ref('dim_patient') }} as patients on history.patient_key = patients.patient_key
    inner join {{ ref('dim_provider') }} as providers
        on history.provider_key = providers.provider_key
)

select * from final
