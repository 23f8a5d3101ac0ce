-- The days that the encounters cover: what is compared with what hangs on them.
{{ config(materialized='view') }}

with encounters as (
    select * from {{ ref('fct_encounters') }}
),

days as (
    select
        min(admission_date) as first_date,
        max(admission_date) as last_date
    from encounters
),

periods as (
    select
        first_date,
        last_date,
        last_date - {{ var('growth_recent_days') - 1 }} as recent_from,
        last_date - {{ var('growth_recent_days') - 1 + var('growth_earlier_days') }} as earlier_from
    from days
)

select
    *,
    earlier_from >= first_date as is_long_enough
from periods
