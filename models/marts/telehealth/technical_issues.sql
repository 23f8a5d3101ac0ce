-- Appointments without trouble have a row, which the others are compared with. Those of which
-- nobody knows are left out.
with visits as (
    select
        case
            when has_technical_issues then coalesce(technical_issue_type, 'Unknown')
            else 'None'
        end as technical_issue_type,
        has_technical_issues,
        count(*) as n_appointments,
        count(*) filter (is_completed) as n_completed,
        count(duration_minutes) filter (is_completed) as n_duration_known,
        avg(duration_minutes) filter (is_completed) as mean_duration_minutes
    from {{ ref('fct_appointments') }}
    where has_technical_issues is not null
    group by all
),

feedback as (
    select
        case
            when has_technical_issues then coalesce(technical_issue_type, 'Unknown')
            else 'None'
        end as technical_issue_type,
        count(*) as n_feedback,
        avg(overall_satisfaction) as mean_satisfaction,
        stddev_samp(overall_satisfaction) / sqrt(count(*)) as satisfaction_error
    from {{ ref('fct_appointment_feedback') }}
    where has_technical_issues is not null
    group by all
),

shares as (
    select
        *,
        sum(n_appointments) over ()::bigint as n_technical_issues_known
    from visits
),

final as (
    select
        shares.technical_issue_type,
        shares.has_technical_issues,
        shares.n_appointments,
        shares.n_technical_issues_known,
        {{ rate_with_interval(
            'shares.n_appointments', 'shares.n_technical_issues_known', 'appointment_rate'
        ) }},
        shares.n_completed,
        {{ rate_with_interval('shares.n_completed', 'shares.n_appointments', 'completion_rate') }},
        shares.n_duration_known,
        {{ round_half_up('shares.mean_duration_minutes', 2) }} as avg_duration_minutes,
        coalesce(feedback.n_feedback, 0) as n_feedback,
        {{ round_half_up('feedback.mean_satisfaction', 3) }} as avg_overall_satisfaction,
        {{ round_half_up('feedback.satisfaction_error', 4) }} as satisfaction_standard_error
    from shares
    -- One row per type of trouble on either side.
    left join feedback on shares.technical_issue_type = feedback.technical_issue_type
)

select * from final
order by has_technical_issues desc, n_appointments desc, technical_issue_type asc
