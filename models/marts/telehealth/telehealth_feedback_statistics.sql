-- Sums behind the insights on feedback: y is what patients say, in each group or against x, what
-- their visit was like. Groups that are not known are left out.
{{ config(materialized='view') }}

with answers as (
    select * from {{ ref('fct_appointment_feedback') }}
),

providers as (
    select * from {{ ref('dim_provider') }}
),

feedback as (
    select
        providers.specialty,
        answers.provider_rating,
        answers.overall_satisfaction as satisfaction,
        answers.connection_quality_score,
        answers.has_technical_issues::integer as has_technical_issues,
        answers.wait_minutes
    from answers
    -- provider_key is unique on the right.
    inner join providers on answers.provider_key = providers.provider_key
),

final as (
    {{ insight_sums('specialty_provider_rating', 'feedback', 'specialty', 'provider_rating') }}
    union all
    {{ insight_sums('specialty_satisfaction', 'feedback', 'specialty', 'satisfaction') }}
    union all
    {{ insight_sums(
        'connection_quality_satisfaction', 'feedback', "'all'", 'satisfaction',
        x='connection_quality_score'
    ) }}
    union all
    {{ insight_sums(
        'technical_issues_satisfaction', 'feedback', "'all'", 'satisfaction',
        x='has_technical_issues'
    ) }}
    union all
    {{ insight_sums('wait_satisfaction', 'feedback', "'all'", 'satisfaction', x='wait_minutes') }}
)

select * from final
