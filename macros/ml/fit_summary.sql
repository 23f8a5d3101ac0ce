{# One row per fit: who fitted what on which data, and whether it can be relied on. #}
{% macro fit_summary(fits) %}
    {% for fit in fits %}
    select
        max(text) filter (feature = 'task') as task,
        max(text) filter (feature = 'data_fingerprint') as data_fingerprint,
        max(text) filter (feature = 'settings') as settings,
        max(value) filter (feature = 'n_fitted')::bigint as n_fitted,
        max(value) filter (feature = 'score') as score,
        max(value) filter (feature = 'score_low') as score_low,
        max(value) filter (feature = 'score_high') as score_high,
        max(value) filter (feature = 'baseline_score') as baseline_score,
        to_json(map_from_entries(
            array_agg((feature, value) order by feature) filter (component = 'metric')
        ))::varchar as metrics,
        {{ fit_is_reliable() }} as is_reliable
    from {{ ref(fit) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
{% endmacro %}


{# Whether the one fit that is read can be relied on; a fit that says nothing cannot. #}
{% macro fit_is_reliable() -%}
    coalesce(max(value) filter (feature = 'is_reliable') = 1, false)
{%- endmacro %}
