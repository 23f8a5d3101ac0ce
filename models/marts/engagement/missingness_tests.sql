-- Whether a feature is missing at random, as far as the other features tell.
{{ config(meta={'publish': 'internal'}) }}

with pairs as (
    select * from {{ ref('persona_feature_pairs') }}
    where n_missing > 0
),

final as (
    select
        person_type,
        feature as missing_feature,
        other_feature,
        {{ unless_few('n_missing', 'n_missing') }}::bigint as n_missing,
        {{ known_number('missing_difference') }} as difference,
        {{ known_number('missing_p') }} as p_value,
        {{ known_number('missing_p_adjusted') }} as p_value_adjusted,
        case
            when {{ known_number('missing_p_adjusted') }} is null then 'too few to tell'
            when missing_p_adjusted < {{ var('significance_level') }}
                then 'missing by what the other says'
            else 'no sign of it'
        end as verdict
    from pairs
)

select * from final
order by person_type, missing_feature, other_feature
