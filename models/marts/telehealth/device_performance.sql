-- A wait that nobody recorded is unknown and not zero: the mean is of the known ones, and the
-- number of the unknown ones stands beside it.
with devices as (
    select * from {{ ref('dim_device') }}
),

visits as (
    select
        device_type,
        count(*) as n_appointments,
        count(*) filter (is_completed) as n_completed,
        count(has_technical_issues) as n_technical_issues_known,
        count(*) filter (has_technical_issues) as n_with_technical_issues,
        count(wait_minutes) as n_wait_known,
        avg(wait_minutes) as mean_wait_minutes
    from {{ ref('fct_appointments') }}
    group by device_type
),

feedback as (
    select
        device_type,
        count(*) as n_feedback,
        avg(overall_satisfaction) as mean_satisfaction
    from {{ ref('fct_appointment_feedback') }}
    where has_appointment
    group by device_type
),

final as (
    select
        devices.device_type,
        devices.is_mobile,
        visits.n_appointments,
        visits.n_technical_issues_known,
        visits.n_with_technical_issues,
        {{ rate_with_interval(
            'visits.n_with_technical_issues', 'visits.n_technical_issues_known',
            'technical_issue_rate'
        ) }},
        visits.n_completed,
        {{ rate_with_interval('visits.n_completed', 'visits.n_appointments', 'completion_rate') }},
        visits.n_wait_known,
        visits.n_appointments - visits.n_wait_known as n_wait_unknown,
        {{ round_half_up('visits.mean_wait_minutes', 2) }} as avg_wait_minutes,
        coalesce(feedback.n_feedback, 0) as n_feedback,
        {{ round_half_up('feedback.mean_satisfaction', 3) }} as avg_overall_satisfaction
    from devices
    -- One row per device on each side; a device that nobody used has nothing to tell.
    inner join visits on devices.device_type = visits.device_type
    left join feedback on devices.device_type = feedback.device_type
)

select * from final
order by technical_issue_rate desc nulls last, device_type asc
