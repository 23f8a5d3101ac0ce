-- Where people stood on a day and on the next they are known of, by the fit of the first day.
with positions as (
    select * from {{ ref('persona_positions') }}
),

final as (
    select
        person_type,
        person_key,
        lag(as_of_date) over person as from_date,
        as_of_date as to_date,
        lag(persona_number) over person as from_persona_number,
        persona_number as to_persona_number,
        lead(as_of_date) over person is null as is_latest
    from positions
    window person as (partition by person_key order by as_of_date)
)

select * from final
where from_date is not null
