-- How the features go together, over the people as they are now.
{{ config(meta={'publish': 'internal'}) }}

with pairs as (
    select * from {{ ref('persona_feature_pairs') }}
),

final as (
    select
        person_type,
        feature,
        other_feature,
        n::bigint as n,
        {% for figure in ['pearson', 'spearman'] %}
        {{ known_number(figure) }} as {{ figure }},
        {{ known_number(figure ~ '_low') }} as {{ figure }}_low,
        {{ known_number(figure ~ '_high') }} as {{ figure }}_high,
        {% endfor %}
    from pairs
)

select * from final
order by person_type, feature, other_feature
