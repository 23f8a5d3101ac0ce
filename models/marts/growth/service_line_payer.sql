-- Who pays for each service line. Its margins are service_line_summary and payer_mix.
with encounters as (
    select * from {{ ref('fct_encounters') }}
),

final as (
    select
        service_line_key,
        any_value(service_line) as service_line,
        payer_key,
        any_value(payer) as payer,
        {{ encounter_totals() }}
    from encounters
    group by service_line_key, payer_key
)

select * from final
order by service_line, payer
