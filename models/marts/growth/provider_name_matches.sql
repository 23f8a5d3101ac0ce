-- Names that may be of one provider, for a person to decide: `provider_aliases` takes the decision.
-- Nothing is merged by likeness.
with providers as (
    select * from {{ ref('growth_providers') }}
    where provider_id <> 'unknown'
),

volumes as (
    select * from {{ ref('provider_metrics') }}
),

pairs as (
    select
        first_one.provider_key,
        first_one.provider_name,
        second_one.provider_key as other_provider_key,
        second_one.provider_name as other_provider_name,
        {{ name_similarity('first_one.provider_id', 'second_one.provider_id') }} as name_similarity
    from providers as first_one
    inner join providers as second_one on first_one.provider_id < second_one.provider_id
),

final as (
    select
        pairs.provider_name,
        pairs.other_provider_name,
        pairs.name_similarity,
        pairs.provider_key,
        pairs.other_provider_key,
        volumes.n_encounters,
        others.n_encounters as other_n_encounters
    from pairs
    -- A provider is in metrics once.
    inner join volumes on pairs.provider_key = volumes.provider_key
    inner join volumes as others on pairs.other_provider_key = others.provider_key
    where pairs.name_similarity >= {{ var('provider_name_similarity') }}
)

select * from final
order by name_similarity desc, provider_name, other_provider_name
