-- What became of the appointments of each specialty, quarter by quarter.
with appointments as (
    select * from {{ ref('fct_appointments') }}
),

providers as (
    select * from {{ ref('dim_provider') }}
),

visits as (
    select
        {{ calendar_quarter('appointments.appointment_date') }} as calendar_quarter,
        coalesce(providers.specialty, 'Unknown') as specialty,
        count(distinct appointments.patient_key) as n_patients,
        {{ appointment_counts() }}
    from appointments
    -- provider_key is unique on the right, and every provider booked is in the dimension.
    inner join providers on appointments.provider_key = providers.provider_key
    group by calendar_quarter, coalesce(providers.specialty, 'Unknown')
),

final as (
    select
        calendar_quarter,
        specialty,
        n_patients,
        n_appointments,
        n_completed,
        {{ rate_with_interval('n_completed', 'n_appointments', 'completion_rate') }},
        n_no_show,
        {{ rate_with_interval('n_no_show', 'n_appointments', 'no_show_rate') }}
    from visits
)

select * from final
order by calendar_quarter, specialty
