-- Appointments without trouble have a row, which the others are compared with. Those of which
-- nobody knows are left out.
{% set kind = "if(has_technical_issues, coalesce(technical_issue_type, 'Unknown'), 'None')" %}

with appointments as (
    select *, {{ kind }} as issue_type from {{ ref('fct_appointments') }}
    where has_technical_issues is not null
),

answers as (
    select *, {{ kind }} as issue_type from {{ ref('fct_appointment_feedback') }}
    where has_technical_issues is not null
),

visits as (
    select
        issue_type,
        has_technical_issues,
        count(distinct patient_key) as n_patients,
        count(*) as n_appointments,
        sum(count(*)) over ()::bigint as n_technical_issues_known,
        count(*) filter (is_completed) as n_completed,
        count(duration_minutes) filter (is_completed) as n_duration_known,
        avg(duration_minutes) filter (is_completed) as mean_duration_minutes
    from appointments
    group by issue_type, has_technical_issues
),

feedback as (
    select
        issue_type,
        {{ satisfaction_columns() }}
    from answers
    group by issue_type
),

final as (
    select
        visits.issue_type as technical_issue_type,
        visits.has_technical_issues,
        visits.n_patients,
        visits.n_appointments,
        visits.n_technical_issues_known,
        {{ rate_with_interval('n_appointments', 'n_technical_issues_known', 'appointment_rate') }},
        visits.n_completed,
        {{ rate_with_interval('n_completed', 'n_appointments', 'completion_rate') }},
        visits.n_duration_known,
        {{ round_half_up('visits.mean_duration_minutes', 2) }} as avg_duration_minutes,
        coalesce(feedback.n_feedback, 0) as n_feedback,
        {{ round_half_up('feedback.mean_satisfaction', 3) }} as avg_overall_satisfaction,
        {{ round_half_up('feedback.satisfaction_error', 4) }} as satisfaction_standard_error
    from visits
    -- issue_type is unique on the right.
    left join feedback on visits.issue_type = feedback.issue_type
)

select * from final
order by has_technical_issues desc, n_appointments desc, technical_issue_type asc
