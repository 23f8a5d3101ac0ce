-- Whether there are groups at all, and whether they hold.
{% set metrics = [
    'n_people', 'n_fitted', 'k', 'score', 'copula_statistic', 'copula_null_mean', 'baseline_score',
    'copula_p', 'n_draws', 'bootstrap_ari', 'bootstrap_ari_low', 'bootstrap_ari_high', 'smallest_jaccard',
    'gaussian_mixture_ari', 'ward_ari',
] %}
{% set counts = ['n_people', 'n_fitted', 'k', 'n_draws'] %}
{% set named = {'score': 'silhouette', 'baseline_score': 'copula_null_high'} %}

with fitted as (
    select * from {{ ref('persona_fit') }}
),

pivoted as (
    select
        person_type,
        {% for metric in metrics %}
        max(value) filter (feature = '{{ metric }}'){{ '::bigint' if metric in counts }}
            as {{ named.get(metric, metric) }},
        {% endfor %}
        {{ fit_is_reliable() }} as is_reliable
    from fitted
    where component = 'metric'
    group by person_type
),

final as (
    select
        *,
        silhouette >= {{ var('persona_silhouette_target') }} as passes_target,
        case
            when is_reliable then 'groups'
            when coalesce(k, 1) = 1 then 'too few people, or too little known of them, to tell'
            when copula_p > 0.05
                then 'no groups to speak of: correlated values without any give as much'
            when n_fitted < 20 * k then 'too few people for so many groups'
            else 'groups that do not hold: other samples of the same people give others'
        end as verdict
    from pivoted
)

select * from final
