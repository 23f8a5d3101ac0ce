-- All that the tests behind telehealth's insights are made of.
with visits as (
    select * from {{ ref('telehealth_visit_statistics') }}
),

feedback as (
    select * from {{ ref('telehealth_feedback_statistics') }}
),

final as (
    select * from visits
    union all
    select * from feedback
)

select * from final
order by insight, group_name
