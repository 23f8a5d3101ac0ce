-- The retention list without the persons' identifiers.
{{ config(materialized='view') }}

with people as (
    select * from {{ ref('retention_list') }}
),

final as (
    select * exclude (person_id) from people
)

select * from final
