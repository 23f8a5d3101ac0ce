-- Days without appointments are days too: they stand here with zeros, from the first appointment to
-- the last. Feedback counts on the day it was given.
with visits as (
    select
        appointment_date,
        count(*) as n_appointments,
        count(*) filter (is_completed) as n_completed,
        count(*) filter (appointment_status = 'Cancelled') as n_cancelled,
        count(*) filter (appointment_status = 'Rescheduled') as n_rescheduled,
        count(*) filter (appointment_status = 'No-show') as n_no_show,
        count(has_technical_issues) as n_technical_issues_known,
        count(*) filter (has_technical_issues) as n_with_technical_issues,
        count(wait_minutes) as n_wait_known,
        avg(wait_minutes) as mean_wait_minutes,
        count(connection_quality_score) as n_connection_quality_known,
        avg(connection_quality_score) as mean_connection_quality
    from {{ ref('fct_appointments') }}
    group by appointment_date
),

feedback as (
    select
        feedback_date,
        count(*) as n_feedback,
        avg(overall_satisfaction) as mean_satisfaction
    from {{ ref('fct_appointment_feedback') }}
    group by feedback_date
),

days as (
    select * from {{ ref('dim_date') }}
    where
        date_day between (select min(appointment_date) from visits)
        and (select max(appointment_date) from visits)
),

final as (
    select
        days.date_day,
        days.day_name,
        days.is_weekend,
        days.is_public_holiday,
        {% for count in [
            'n_appointments', 'n_completed', 'n_cancelled', 'n_rescheduled', 'n_no_show',
            'n_technical_issues_known', 'n_with_technical_issues', 'n_wait_known',
            'n_connection_quality_known',
        ] %}
        coalesce(visits.{{ count }}, 0) as {{ count }},
        {% endfor %}
        {{ rate_with_interval('visits.n_completed', 'visits.n_appointments', 'completion_rate') }},
        {{ rate_with_interval(
            'visits.n_cancelled', 'visits.n_appointments', 'cancellation_rate'
        ) }},
        {{ rate_with_interval('visits.n_no_show', 'visits.n_appointments', 'no_show_rate') }},
        {{ rate_with_interval(
            'visits.n_with_technical_issues', 'visits.n_technical_issues_known',
            'technical_issue_rate'
        ) }},
        {{ round_half_up('visits.mean_wait_minutes', 2) }} as avg_wait_minutes,
        {{ round_half_up('visits.mean_connection_quality', 3) }} as avg_connection_quality_score,
        coalesce(feedback.n_feedback, 0) as n_feedback,
        {{ round_half_up('feedback.mean_satisfaction', 3) }} as avg_overall_satisfaction
    from days
    -- One row per day on each side.
    left join visits on days.date_day = visits.appointment_date
    left join feedback on days.date_day = feedback.feedback_date
)

select * from final
order by date_day
