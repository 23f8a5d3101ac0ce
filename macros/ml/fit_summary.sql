{# One row per fit: who fitted what on which data, and whether it beat its baseline out of sample.
   K-Means has a silhouette for its score. #}
{% macro fit_summary(fits) %}
    {% for fit in fits %}
    select
        max(text) filter (feature = 'task') as task,
        max(text) filter (feature = 'data_fingerprint') as data_fingerprint,
        max(text) filter (feature = 'settings') as settings,
        max(value) filter (feature = 'n_fitted')::bigint as n_fitted,
        max(value) filter (feature in ('score', 'silhouette_out_of_sample')) as score,
        max(value) filter (feature = 'score_low') as score_low,
        max(value) filter (feature = 'score_high') as score_high,
        max(value) filter (feature in ('baseline_score', 'silhouette_baseline'))
            as baseline_score,
        to_json(map_from_entries(
            array_agg((feature, value) order by feature) filter (component = 'metric')
        ))::varchar as metrics,
        coalesce(
            max(value) filter (feature = 'is_reliable') = 1, score > baseline_score, false
        ) as is_reliable
    from {{ ref(fit) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
{% endmacro %}


{# Whether the one fit that is read beat its baseline; a fit that says nothing did not. #}
{% macro fit_is_reliable() -%}
    coalesce(max(value) filter (feature = 'is_reliable') = 1, false)
{%- endmacro %}
