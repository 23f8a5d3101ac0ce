-- Every provider of the platform has a row, also one without appointments.
with visits as (
    select
        provider_key,
        count(*) as n_appointments,
        count(distinct patient_key) as n_patients,
        count(*) filter (is_completed) as n_completed,
        count(*) filter (appointment_status = 'Cancelled') as n_cancelled,
        count(*) filter (appointment_status = 'Rescheduled') as n_rescheduled,
        count(*) filter (appointment_status = 'No-show') as n_no_show,
        count(has_technical_issues) as n_technical_issues_known,
        count(*) filter (has_technical_issues) as n_with_technical_issues,
        count(wait_minutes) as n_wait_known,
        avg(wait_minutes) as mean_wait_minutes,
        count(duration_minutes) filter (is_completed) as n_duration_known,
        avg(duration_minutes) filter (is_completed) as mean_duration_minutes
    from {{ ref('fct_appointments') }}
    group by provider_key
),

feedback as (
    select
        provider_key,
        count(*) as n_feedback,
        avg(provider_rating) as mean_provider_rating,
        avg(overall_satisfaction) as mean_satisfaction,
        stddev_samp(overall_satisfaction) / sqrt(count(*)) as satisfaction_error
    from {{ ref('fct_appointment_feedback') }}
    group by provider_key
),

scored as (
    select
        providers.provider_id,
        providers.provider_name,
        providers.specialty,
        providers.is_active,
        visits.* exclude (provider_key),
        feedback.* exclude (provider_key)
    from {{ ref('dim_provider') }} as providers
    -- One row per provider on each side.
    left join visits on providers.provider_key = visits.provider_key
    left join feedback on providers.provider_key = feedback.provider_key
    where providers.assigning_authority = {{ assigning_authority('telehealth', 'provider') }}
),

final as (
    select
        provider_id,
        provider_name,
        specialty,
        is_active,
        coalesce(n_appointments, 0) as n_appointments,
        coalesce(n_patients, 0) as n_patients,
        coalesce(n_completed, 0) as n_completed,
        coalesce(n_cancelled, 0) as n_cancelled,
        coalesce(n_rescheduled, 0) as n_rescheduled,
        coalesce(n_no_show, 0) as n_no_show,
        {{ rate_with_interval('n_completed', 'n_appointments', 'completion_rate') }},
        {{ rate_with_interval('n_no_show', 'n_appointments', 'no_show_rate') }},
        coalesce(n_technical_issues_known, 0) as n_technical_issues_known,
        coalesce(n_with_technical_issues, 0) as n_with_technical_issues,
        {{ rate_with_interval(
            'n_with_technical_issues', 'n_technical_issues_known', 'technical_issue_rate'
        ) }},
        coalesce(n_wait_known, 0) as n_wait_known,
        {{ round_half_up('mean_wait_minutes', 2) }} as avg_wait_minutes,
        coalesce(n_duration_known, 0) as n_duration_known,
        {{ round_half_up('mean_duration_minutes', 2) }} as avg_duration_minutes,
        coalesce(n_feedback, 0) as n_feedback,
        {{ round_half_up('mean_provider_rating', 3) }} as avg_provider_rating,
        {{ round_half_up('mean_satisfaction', 3) }} as avg_overall_satisfaction,
        {{ round_half_up('satisfaction_error', 4) }} as satisfaction_standard_error
    from scored
)

select * from final
order by avg_overall_satisfaction desc nulls last, provider_id asc
