-- What follows from a person's engagement as it is now, each measure defined here and nowhere else.
{{ config(meta={'publish': 'internal'}) }}

{% set ranges = var('engagement_ranges') %}

with people as (
    select * from {{ ref('fct_engagement') }}
    where is_current
),

gaps as (
    select * from {{ ref('engagement_gaps') }}
    where is_current
),

risks as (
    select * from {{ ref('departure_risk') }}
),

departures as (
    select * from {{ ref('person_departures') }}
),

final as (
    select
        people.person_type,
        people.person_key,
        people.as_of_date,
        100 * (
            {{ rescaled('people.satisfaction_score', ranges.satisfaction_score) }}
            + {{ rescaled('people.engagement_level', ranges.engagement_level) }}
        ) / 2 as loyalty_index,
        gaps.gap_engagement_level as growth_potential,
        risks.risk_score,
        risks.risk_source,
        departures.has_left
    from people
    -- A person is once in each.
    inner join gaps on people.person_key = gaps.person_key
    inner join risks on people.person_key = risks.person_key
    inner join departures on people.person_key = departures.person_key
)

select * from final
