-- Feedback by the specialty of the provider rated, best satisfaction first.
with feedback as (
    select * from {{ ref('fct_appointment_feedback') }}
),

providers as (
    select * from {{ ref('dim_provider') }}
),

rated as (
    select
        coalesce(providers.specialty, 'Unknown') as specialty,
        {{ satisfaction_columns() }},
        count(distinct feedback.patient_key) as n_patients,
        count(distinct feedback.provider_key) as n_providers,
        avg(feedback.provider_rating) as mean_provider_rating,
        count(feedback.is_recommended) as n_recommendation_known,
        count(*) filter (feedback.is_recommended) as n_recommended
    from feedback
    -- provider_key is unique on the right, and every provider rated is in the dimension.
    inner join providers on feedback.provider_key = providers.provider_key
    group by coalesce(providers.specialty, 'Unknown')
),

final as (
    select
        specialty,
        n_patients,
        n_providers,
        n_feedback,
        {{ round_half_up('mean_provider_rating', 3) }} as avg_provider_rating,
        {{ round_half_up('mean_satisfaction', 3) }} as avg_overall_satisfaction,
        {{ round_half_up('satisfaction_error', 4) }} as satisfaction_standard_error,
        n_recommendation_known,
        n_recommended,
        {{ rate_with_interval('n_recommended', 'n_recommendation_known', 'recommendation_rate') }}
    from rated
)

select * from final
order by avg_overall_satisfaction desc, specialty asc
