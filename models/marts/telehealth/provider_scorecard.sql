with providers as (
    {{ area_members('telehealth', 'provider') }}
),

appointments as (
    select * from {{ ref('fct_appointments') }}
),

answers as (
    select * from {{ ref('fct_appointment_feedback') }}
),

visits as (
    select
        provider_key,
        {{ appointment_counts() }},
        count(distinct patient_key) as n_patients,
        count(duration_minutes) filter (is_completed) as n_duration_known,
        avg(duration_minutes) filter (is_completed) as mean_duration_minutes
    from appointments
    group by provider_key
),

feedback as (
    select
        provider_key,
        {{ satisfaction_columns() }},
        avg(provider_rating) as mean_provider_rating
    from answers
    group by provider_key
),

final as (
    select
        provider_id, provider_name, specialty, is_active,
        {{ zero_if_null('visits', ['n_appointments', 'n_patients', 'n_completed']) }},
        {{ zero_if_null('visits', ['n_cancelled', 'n_rescheduled', 'n_no_show']) }},
        {{ rate_with_interval('n_completed', 'n_appointments', 'completion_rate') }},
        {{ rate_with_interval('n_no_show', 'n_appointments', 'no_show_rate') }},
        {{ zero_if_null('visits', ['n_technical_issues_known', 'n_with_technical_issues']) }},
        {{ rate_with_interval(
            'n_with_technical_issues', 'n_technical_issues_known', 'technical_issue_rate'
        ) }},
        {{ zero_if_null('visits', ['n_wait_known']) }},
        {{ round_half_up('mean_wait_minutes', 2) }} as avg_wait_minutes,
        {{ zero_if_null('visits', ['n_duration_known']) }},
        {{ round_half_up('mean_duration_minutes', 2) }} as avg_duration_minutes,
        {{ zero_if_null('feedback', ['n_feedback']) }},
        {{ round_half_up('mean_provider_rating', 3) }} as avg_provider_rating,
        {{ round_half_up('mean_satisfaction', 3) }} as avg_overall_satisfaction,
        {{ round_half_up('satisfaction_error', 4) }} as satisfaction_standard_error
    from providers
    -- provider_key is unique on the right; a provider without appointments has a row too.
    left join visits on providers.provider_key = visits.provider_key
    left join feedback on providers.provider_key = feedback.provider_key
)

select * from final
order by avg_overall_satisfaction desc nulls last, provider_id asc
