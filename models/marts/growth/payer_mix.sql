-- Who pays for how much of the volume.
with encounters as (
    select * from {{ ref('fct_encounters') }}
),

totals as (
    select
        payer_key,
        any_value(payer) as payer,
        {{ encounter_totals() }},
        sum(count(*)) over () as n_all
    from encounters
    group by payer_key
),

final as (
    select
        * exclude (n_all),
        {{ rate_with_interval('n_encounters', 'n_all', 'encounter_share') }}
    from totals
)

select * from final
order by n_encounters desc, payer asc
