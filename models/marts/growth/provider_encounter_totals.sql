-- Averages are over what is known; the number of unknown costs stands beside them.
{{ config(materialized='view') }}

with encounters as (
    select * from {{ ref('fct_encounters') }}
)

select
    provider_key,
    {{ encounter_totals() }}
from encounters
group by provider_key
