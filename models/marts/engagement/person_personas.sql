-- The persona of each person as it is now, and what follows from it, without the identifier.
{{ config(materialized='view') }}

with members as (
    select * from {{ ref('labelled_members') }}
),

final as (
    select
        person_type,
        person_key,
        persona_name,
        segment,
        second_persona,
        margin,
        main_driver,
        loyalty_index,
        growth_potential,
        risk_score,
        has_marketing_consent,
        is_reliable
    from members
)

select * from final
