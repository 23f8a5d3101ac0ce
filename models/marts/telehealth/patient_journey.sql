-- A patient's way through the platform. A rebooking is an appointment that follows one which did
-- not take place.
with patients as (
    select * from {{ ref('dim_patient') }}
),

appointments as (
    select * from {{ ref('fct_appointments') }}
),

visits as (
    select
        *,
        row_number() over in_order as place,
        lag(is_completed) over in_order as was_completed,
        date_diff('day', lag(appointment_date) over in_order, appointment_date) as gap_days
    from appointments
    window
        in_order as (
            partition by patient_key
            order by appointment_date, scheduled_minute_of_day, appointment_id
        )
),

journeys as (
    select
        patient_key,
        {{ appointment_counts() }},
        count(*) filter (not was_completed) as n_rebookings,
        count(distinct provider_key) as n_providers,
        min(appointment_date) as first_appointment_date,
        min(appointment_date) filter (is_completed) as first_completed_date,
        max(appointment_date) as last_appointment_date,
        avg(gap_days) as mean_gap_days,
        max(gap_days) as longest_gap_days,
        max_by(appointment_status, place) as last_appointment_status
    from visits
    group by patient_key
),

final as (
    select
        journeys.patient_key, patients.patient_id, patients.age_group, patients.registration_date,
        journeys.first_appointment_date,
        journeys.first_completed_date,
        journeys.last_appointment_date,
        journeys.n_appointments, journeys.n_completed,
        journeys.n_cancelled, journeys.n_rescheduled, journeys.n_no_show,
        {{ rate_with_interval('n_completed', 'n_appointments', 'completion_rate') }},
        journeys.n_rebookings, journeys.n_providers,
        {{ round_half_up('journeys.mean_gap_days', 2) }} as avg_gap_days,
        journeys.longest_gap_days,
        journeys.last_appointment_status
    from journeys
    -- patient_key is unique on the right, and every patient booked is in the dimension.
    inner join patients on journeys.patient_key = patients.patient_key
)

select * from final
order by patient_id
