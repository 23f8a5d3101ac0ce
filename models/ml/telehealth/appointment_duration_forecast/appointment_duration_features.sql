-- What is known of an appointment's length when it is booked, and the minutes it took where it took
-- place.
with appointments as (
    select * from {{ ref('fct_appointments') }}
),

final as (
    select
        appointments.appointment_id,
        appointments.appointment_date,
        appointments.scheduled_minute_of_day,
        case
            when appointments.is_completed then appointments.duration_minutes::double
        end as duration_minutes,
        appointments.appointment_type,
        coalesce(providers.specialty, 'Unknown') as specialty,
        coalesce(patients.age_group, 'Unknown') as age_group
    from appointments
    -- One row per patient and provider on the right; none is missing.
    inner join {{ ref('dim_patient') }} as patients
        on appointments.patient_key = patients.patient_key
    inner join {{ ref('dim_provider') }} as providers
        on appointments.provider_key = providers.provider_key
)

select * from final
