-- Satisfaction is shrunk from the specialty's mean towards the provider's, and from there towards
-- that of visits like the need, as far as the number of answers bears it; a weight that was not
-- fitted means that groups do not differ.
with providers as (
    select * from {{ ref('provider_need_totals') }}
),

specialties as (
    select level as specialty, value as specialty_satisfaction
    from {{ ref('provider_match_fit') }}
    where component = 'baseline'
),

fitted as (
    select
        max(value) filter (component = 'weight' and feature = 'provider') as provider_weight,
        max(value) filter (component = 'weight' and feature = 'need') as need_weight,
        {{ fit_is_reliable() }} as is_reliable
    from {{ ref('provider_match_fit') }}
),

matched as (
    select
        providers.*,
        fitted.is_reliable,
        specialties.specialty_satisfaction,
        {{ shrunk_mean('satisfaction', 'n_feedback', 'specialty_satisfaction', 'provider_weight') }}
            as provider_satisfaction,
        {{ shrunk_mean(
            'similar_satisfaction', 'n_similar_feedback', 'provider_satisfaction', 'need_weight'
        ) }} as match_score
    from providers
    -- fitted is one row; one row per specialty on the right.
    cross join fitted
    left join specialties using (specialty)
),

final as (
    select
        {{ surrogate_key(['provider_id', 'day_part', 'device_type']) }} as provider_match_key,
        specialty,
        day_part,
        device_type,
        rank() over (
            partition by specialty, day_part, device_type
            order by match_score desc nulls last, provider_id asc
        ) as match_rank,
        provider_key,
        provider_id,
        match_score,
        provider_satisfaction,
        specialty_satisfaction,
        n_feedback,
        n_appointments,
        n_similar_visits,
        n_completed / nullif(n_appointments, 0) as completion_rate,
        n_with_technical_issues / nullif(n_technical_issues_known, 0) as technical_issue_rate,
        {{ round_half_up('wait_minutes / nullif(n_wait_known, 0)', 2) }} as avg_wait_minutes,
        is_reliable
    from matched
)

select * from final
