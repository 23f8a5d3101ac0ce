-- Days without appointments are days too: they have a row of zeros, from the first appointment to
-- the last. Feedback counts on the day it was given.
with appointments as (
    select * from {{ ref('fct_appointments') }}
),

answers as (
    select * from {{ ref('fct_appointment_feedback') }}
),

dates as (
    select * from {{ ref('dim_date') }}
    where
        date_day between (select min(appointment_date) from appointments)
        and (select max(appointment_date) from appointments)
),

visits as (
    select
        appointment_date,
        {{ appointment_counts() }},
        count(connection_quality_score) as n_connection_quality_known,
        avg(connection_quality_score) as mean_connection_quality
    from appointments
    group by appointment_date
),

feedback as (
    select
        feedback_date,
        {{ satisfaction_columns() }}
    from answers
    group by feedback_date
),

final as (
    select
        dates.date_day, dates.day_name, dates.is_weekend, dates.is_public_holiday,
        {{ zero_if_null('visits', ['n_appointments', 'n_completed', 'n_cancelled']) }},
        {{ zero_if_null('visits', ['n_rescheduled', 'n_no_show']) }},
        {{ zero_if_null('visits', ['n_technical_issues_known', 'n_with_technical_issues']) }},
        {{ zero_if_null('visits', ['n_wait_known', 'n_connection_quality_known']) }},
        {{ rate_with_interval('n_completed', 'n_appointments', 'completion_rate') }},
        {{ rate_with_interval('n_cancelled', 'n_appointments', 'cancellation_rate') }},
        {{ rate_with_interval('n_no_show', 'n_appointments', 'no_show_rate') }},
        {{ rate_with_interval(
            'n_with_technical_issues', 'n_technical_issues_known', 'technical_issue_rate'
        ) }},
        {{ round_half_up('mean_wait_minutes', 2) }} as avg_wait_minutes,
        {{ round_half_up('mean_connection_quality', 3) }} as avg_connection_quality_score,
        {{ zero_if_null('feedback', ['n_feedback']) }},
        {{ round_half_up('mean_satisfaction', 3) }} as avg_overall_satisfaction
    from dates
    -- A day is unique on the right, in each.
    left join visits on dates.date_day = visits.appointment_date
    left join feedback on dates.date_day = feedback.feedback_date
)

select * from final
order by date_day
