-- Active providers for every need that may come: what is known of all their visits, and of those
-- like the need. A need is a part of the day and a device that anybody ever booked.
with visits as (
    select * from {{ ref('provider_match_features') }}
),

providers as (
    {{ area_members('telehealth', 'provider') }}
),

every_visit as (
    select
        provider_key,
        count(*) as n_appointments,
        count(*) filter (is_completed) as n_completed,
        count(overall_satisfaction) as n_feedback,
        sum(overall_satisfaction) as satisfaction,
        count(wait_minutes) as n_wait_known,
        sum(wait_minutes) as wait_minutes,
        count(has_technical_issues) as n_technical_issues_known,
        count(*) filter (has_technical_issues) as n_with_technical_issues
    from visits
    group by provider_key
),

similar_visits as (
    select
        provider_key,
        day_part,
        device_type,
        count(*) filter (is_completed) as n_similar_visits,
        count(overall_satisfaction) as n_similar_feedback,
        sum(overall_satisfaction) as similar_satisfaction
    from visits
    group by provider_key, day_part, device_type
),

needs as (
    select distinct day_part, device_type from similar_visits
    where device_type <> 'Unknown'
),

final as (
    select
        providers.specialty,
        needs.day_part,
        needs.device_type,
        providers.provider_key,
        providers.provider_id,
        {% for total in [
            'n_appointments', 'n_completed', 'n_feedback', 'satisfaction', 'n_wait_known',
            'wait_minutes', 'n_technical_issues_known', 'n_with_technical_issues',
            'n_similar_visits', 'n_similar_feedback',
        ] %}
        coalesce({{ total }}, 0) as {{ total }},
        {% endfor %}
        coalesce(similar_satisfaction, 0) as similar_satisfaction
    from providers
    cross join needs
    -- One row per provider, and per provider and need, on the right.
    left join every_visit using (provider_key)
    left join similar_visits using (provider_key, day_part, device_type)
    where
        providers.is_active
        and providers.specialty is not null
)

select * from final
