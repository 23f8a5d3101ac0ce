-- Histograms of each feature by persona, in 20 bins between the fences; who is beyond is in the
-- last bin of that side. Bins of few people show no count.
{{ config(meta={'publish': 'internal'}) }}

with people as (
    select * from {{ ref('persona_values') }}
    where is_current and value is not null
),

members as (
    select * from {{ ref('persona_members') }}
),

spans as (
    select
        person_type,
        feature,
        greatest(lowest, coalesce(lower_fence, lowest)) as low,
        least(highest, coalesce(upper_fence, highest)) as high
    from {{ ref('persona_feature_rules') }}
    where is_used
),

binned as (
    select
        people.person_type,
        people.feature,
        members.persona_number,
        1 + least(
            greatest(floor((people.value - spans.low) / (spans.high - spans.low) * 20), 0), 19
        )::integer as bin,
        count(*) as n_people
    from people
    -- A person is in members once; one row per person type and feature in spans.
    inner join members on people.person_key = members.person_key
    inner join spans on people.person_type = spans.person_type and people.feature = spans.feature
    group by all
),

final as (
    select
        binned.person_type,
        binned.feature,
        binned.persona_number,
        binned.bin,
        spans.low + (spans.high - spans.low) * (binned.bin - 1) / 20 as bin_from,
        spans.low + (spans.high - spans.low) * binned.bin / 20 as bin_to,
        {{ unless_few('binned.n_people', 'binned.n_people') }} as n_people
    from binned
    -- One row per person type and feature on the right.
    inner join spans on binned.person_type = spans.person_type and binned.feature = spans.feature
)

select * from final
order by person_type, feature, persona_number, bin
