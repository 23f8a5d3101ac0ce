-- The fit of physicians alone, as the table of all fits reads it.
{{ config(materialized='view') }}

with final as (
    select component, feature, level, value, text from {{ ref('departure_fit') }}
    where person_type = 'physician'
)

select * from final
