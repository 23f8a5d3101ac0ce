-- How much hangs on few referrers. Encounters that name none take no part.
with encounters as (
    select * from {{ ref('fct_encounters') }}
    where provider_id is not null
),

providers as (
    select * from {{ ref('growth_providers') }}
),

referrers as (
    select
        provider_key,
        count(*) as n_encounters,
        count(*) / sum(count(*)) over () as encounter_share
    from encounters
    group by provider_key
),

final as (
    select
        row_number() over (
            order by
                referrers.n_encounters desc, providers.provider_name asc, providers.provider_key asc
        ) as referrer_rank,
        referrers.provider_key,
        providers.provider_name,
        referrers.n_encounters,
        referrers.encounter_share,
        sum(referrers.encounter_share) over (
            order by
                referrers.n_encounters desc, providers.provider_name asc, providers.provider_key asc
            rows unbounded preceding
        ) as cumulative_share,
        count(*) over () as n_referrers,
        sum(referrers.encounter_share * referrers.encounter_share) over () as herfindahl_index,
        1 / sum(referrers.encounter_share * referrers.encounter_share) over ()
            as effective_n_referrers
    from referrers
    -- provider_key is unique on the right.
    inner join providers on referrers.provider_key = providers.provider_key
)

select * from final
order by referrer_rank
