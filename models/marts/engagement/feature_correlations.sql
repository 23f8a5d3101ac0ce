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
        {{ unless_few(known_number(figure), 'n') }} as {{ figure }},
        {{ unless_few(known_number(figure ~ '_low'), 'n') }} as {{ figure }}_low,
        {{ unless_few(known_number(figure ~ '_high'), 'n') }} as {{ figure }}_high,
        {% endfor %}
    from pairs
)

select * from final
order by person_type, feature, other_feature
