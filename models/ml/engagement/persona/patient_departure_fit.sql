-- The fit of patients alone, as the table of all fits reads it.
{{ config(materialized='view') }}

with final as (
    select component, feature, level, value, text from {{ ref('departure_fit') }}
    where person_type = 'patient'
)

select * from final
