-- A wait that nobody recorded is unknown and not zero: the mean is of the known ones, and the
-- number of the unknown ones is beside it.
with devices as (
    select * from {{ ref('dim_device') }}
),

appointments as (
    select * from {{ ref('fct_appointments') }}
),

answers as (
    select * from {{ ref('fct_appointment_feedback') }}
    where has_appointment
),

visits as (
    select
        device_type,
        count(distinct patient_key) as n_patients,
        {{ appointment_counts() }}
    from appointments
    group by device_type
),

feedback as (
    select
        device_type,
        {{ satisfaction_columns() }}
    from answers
    group by device_type
),

final as (
    select
        devices.device_type,
        devices.is_mobile,
        visits.n_patients,
        visits.n_appointments,
        visits.n_technical_issues_known,
        visits.n_with_technical_issues,
        {{ rate_with_interval(
            'n_with_technical_issues', 'n_technical_issues_known', 'technical_issue_rate'
        ) }},
        visits.n_completed,
        {{ rate_with_interval('n_completed', 'n_appointments', 'completion_rate') }},
        visits.n_wait_known,
        visits.n_appointments - visits.n_wait_known as n_wait_unknown,
        {{ round_half_up('visits.mean_wait_minutes', 2) }} as avg_wait_minutes,
        coalesce(feedback.n_feedback, 0) as n_feedback,
        {{ round_half_up('feedback.mean_satisfaction', 3) }} as avg_overall_satisfaction
    from devices
    -- device_type is unique on the right, in each; a device that nobody used has no row.
    inner join visits on devices.device_type = visits.device_type
    left join feedback on devices.device_type = feedback.device_type
)

select * from final
order by technical_issue_rate desc nulls last, device_type asc
