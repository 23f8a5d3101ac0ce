-- Names that may be of one provider, for a person to decide: `provider_aliases` takes the decision.
-- Nothing is merged by likeness. Only names of which a word begins with the same two letters are
-- held against each other: all pairs of thousands of names would be millions.
with providers as (
    select * from {{ ref('growth_providers') }}
    where provider_id <> 'unknown'
),

volumes as (
    select
        provider_key,
        n_encounters + coalesce(total_visits, 0) + coalesce(n_opportunities, 0) as n_records
    from {{ ref('provider_metrics') }}
),

beginnings as (
    select
        provider_key,
        provider_id,
        unnest(list_distinct(list_transform(split(provider_id, ' '), lambda word: left(word, 2))))
            as beginning
    from providers
),

pairs as (
    -- Two names may begin alike in several words, and are one pair.
    select distinct
        ours.provider_key,
        theirs.provider_key as other_provider_key,
        {{ name_similarity('ours.provider_id', 'theirs.provider_id') }} as name_similarity
    from beginnings as ours
    inner join beginnings as theirs
        on ours.beginning = theirs.beginning and ours.provider_id < theirs.provider_id
    where {{ name_similarity('ours.provider_id', 'theirs.provider_id') }}
        >= {{ var('provider_name_similarity') }}
),

final as (
    select
        ours.provider_name,
        theirs.provider_name as other_provider_name,
        pairs.name_similarity,
        pairs.provider_key,
        pairs.other_provider_key,
        volumes.n_records,
        other_volumes.n_records as other_n_records
    from pairs
    -- provider_key is unique in each of them.
    inner join providers as ours on pairs.provider_key = ours.provider_key
    inner join providers as theirs on pairs.other_provider_key = theirs.provider_key
    inner join volumes on pairs.provider_key = volumes.provider_key
    inner join volumes as other_volumes on pairs.other_provider_key = other_volumes.provider_key
)

select * from final
order by name_similarity desc, provider_name asc, other_provider_name asc
