-- All that the tests behind patient flow's insights are made of.
{{ config(materialized='table') }}

with arrivals as (
    select * from {{ ref('arrival_statistics') }}
),

departments as (
    select * from {{ ref('department_statistics') }}
),

final as (
    select * from arrivals
    union all
    select * from departments
)

select * from final
order by insight, group_name
