-- The people as they are now with their persona: the labelled data set.
{{ config(post_hook="{{ export_to('reverse_etl_output/labelled_members') }}") }}

with people as (
    select * from {{ ref('fct_engagement') }}
    where is_current
),

members as (
    select * from {{ ref('persona_members') }}
),

names as (
    select * from {{ ref('persona_names') }}
),

measures as (
    select * from {{ ref('person_measures') }}
),

final as (
    select
        people.person_type,
        people.person_key,
        people.person_id,
        people.as_of_date,
        people.satisfaction_score,
        people.engagement_level,
        people.procedure_frequency,
        people.referral_rate,
        people.technology_adoption,
        people.annual_value_amount,
        people.has_marketing_consent,
        measures.loyalty_index,
        measures.growth_potential,
        measures.risk_score,
        members.persona_number,
        names.persona_name,
        names.segment,
        members.distance,
        members.margin,
        second_names.persona_name as second_persona,
        members.main_driver,
        members.n_imputed,
        members.n_winsorised,
        members.is_in_fit,
        members.is_reliable
    from people
    -- A person is in members and in measures once, a persona in names.
    left join members on people.person_key = members.person_key
    left join measures on people.person_key = measures.person_key
    left join names
        on members.person_type = names.person_type and members.persona_number = names.persona_number
    left join names as second_names
        on
            members.person_type = second_names.person_type
            and members.second_persona_number = second_names.persona_number
)

select * from final
order by person_type, person_id
