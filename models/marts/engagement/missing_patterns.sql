-- Which features are missing together, over the people as they are now.
{{ config(meta={'publish': 'internal'}) }}

with people as (
    select
        person_type,
        person_key,
        coalesce(string_agg(feature, ', ' order by feature) filter (where value is null), '')
            as missing_features,
        count(*) filter (where value is null) as n_missing
    from {{ ref('persona_values') }}
    where is_current
    group by person_type, person_key
),

counted as (
    select
        person_type,
        missing_features,
        n_missing,
        count(*) as n_people,
        sum(count(*)) over (partition by person_type) as n_all
    from people
    group by person_type, missing_features, n_missing
),

final as (
    select
        person_type,
        missing_features,
        n_missing,
        {{ unless_few('n_people', 'n_people') }} as n_people,
        {{ unless_few('n_people::double / n_all', 'n_people') }} as share
    from counted
)

select * from final
order by person_type, n_missing, missing_features
