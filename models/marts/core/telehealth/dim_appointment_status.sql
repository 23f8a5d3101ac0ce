-- A status has several spellings, which agree on what it means. What has not ended is no fact yet.
with spellings as (
    select * from {{ ref('appointment_statuses') }}
),

final as (
    select
        appointment_status,
        bool_and(is_successful) as is_successful
    from spellings
    where is_ended
    group by appointment_status
)

select * from final
