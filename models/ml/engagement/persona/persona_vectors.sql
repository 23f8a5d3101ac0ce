-- The features that a fit reads: filled, and drawn in to the fences where that is the treatment.
-- Who lacks a feature that is not filled is not here. Every day is treated by the rules of today.
{% set treatment = outlier_treatment() %}
{% do persona_k() %} -- refused before anything is fitted

with delivered as (
    select * from {{ ref('persona_values') }}
),

rules as (
    select * from {{ ref('persona_feature_rules') }}
    where is_used
),

cleaned as (
    select
        delivered.person_type,
        delivered.person_key,
        delivered.as_of_date,
        delivered.is_current,
        delivered.feature,
        delivered.value is null as is_imputed,
        {{ is_beyond_fences('delivered.value') }} as is_outside,
        coalesce(
            {{ winsorised('delivered.value') if treatment == 'winsorise' else 'delivered.value' }},
            rules.fill_value
        ) as value
    from delivered
    -- One row per person type and feature on the right.
    inner join
        rules
        on delivered.person_type = rules.person_type and delivered.feature = rules.feature
),

final as (
    select
        person_type,
        person_key,
        as_of_date,
        is_current,
        {{ "not bool_or(is_outside)" if treatment == 'remove_from_fit' else 'true' }} as is_in_fit,
        count(*) filter (where is_imputed) as n_imputed,
        {{ "count(*) filter (where is_outside)" if treatment == 'winsorise' else '0::bigint' }}
            as n_winsorised,
        array_agg(feature order by feature) as features,
        array_agg(value order by feature) as feature_values
    from cleaned
    group by person_type, person_key, as_of_date, is_current
    having count(*) = count(value)
)

select * from final
