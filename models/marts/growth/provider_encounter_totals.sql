-- Averages are over what is known; the number of unknown costs stands beside them.
{{ config(materialized='view') }}

with encounters as (
    select * from {{ ref('fct_encounters') }}
),

final as (
    select
        provider_key,
        count(distinct patient_key) as total_patients,
        count(*) as n_encounters,
        avg(length_of_stay_days) as avg_length_of_stay,
        avg(satisfaction_score) as avg_satisfaction,
        avg(treatment_cost_amount) as avg_cost,
        sum(treatment_cost_amount)::decimal(18, 2) as total_cost,
        count(*) filter (treatment_cost_amount is null) as n_cost_unknown
    from encounters
    group by provider_key
)

select * from final
