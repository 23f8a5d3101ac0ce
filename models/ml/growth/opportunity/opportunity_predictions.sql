-- Beside the prediction is that of the fit which never saw the provider. The interval is
-- jackknife+: each line that left a provider out is widened by how far it missed that provider, and
-- so many of the n ends lie outside on either side. Amounts are not negative.
with providers as (
    select distinct provider_key, provider_name, target from {{ ref('opportunity_features') }}
),

scores as (
    select
        *,
        row_number() over (
            partition by provider_key, left_out = 'all' order by amount - error, left_out
        ) as low_place,
        row_number() over (
            partition by provider_key, left_out = 'all' order by amount + error, left_out
        ) as high_place
    from {{ ref('opportunity_scores') }}
),

verdicts as (
    select
        max(value) filter (feature = 'low_rank') as low_rank,
        max(value) filter (feature = 'high_rank') as high_rank,
        {{ fit_is_reliable() }} as is_reliable,
        max(text) filter (feature = 'verdict') as verdict,
        max(text) filter (feature = 'interval_reason') as interval_reason
    from {{ ref('opportunity_fit') }}
),

amounts as (
    select
        scores.provider_key,
        max(scores.amount) filter (scores.left_out = 'all') as predicted,
        max(scores.amount) filter (scores.left_out = scores.provider_key::varchar)
            as predicted_by_others,
        max(scores.amount - scores.error) filter (scores.low_place = verdicts.low_rank) as low,
        max(scores.amount + scores.error) filter (scores.high_place = verdicts.high_rank) as high
    from scores
    -- verdicts is one row.
    cross join verdicts
    group by scores.provider_key
),

final as (
    select
        providers.provider_key,
        providers.provider_name,
        '{{ opportunity_target() }}' as target_name,
        {{ round_half_up('providers.target', 2) }} as target,
        {% for amount in ['predicted', 'predicted_by_others', 'low', 'high'] %}
        {{ round_half_up(
            'case when amounts.' ~ amount ~ ' < 0 then 0 else amounts.' ~ amount ~ ' end', 2
        ) }}
            as {{ amount }},
        {% endfor %}
        verdicts.is_reliable,
        verdicts.verdict,
        verdicts.interval_reason
    from providers
    -- verdicts is one row; one row per provider in amounts.
    cross join verdicts
    left join amounts on providers.provider_key = amounts.provider_key
)

select * from final
