-- A fit is the same when its task, data and settings are: building twice adds no row.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    tags=['hospital'],
) }}

with fitted as (
    select * from {{ ref('vip_fit') }}
),

runs as (
    select
        max(text) filter (feature = 'task') as task,
        max(text) filter (feature = 'data_fingerprint') as data_fingerprint,
        max(text) filter (feature = 'settings') as settings,
        max(value) filter (feature = 'n_fitted')::bigint as n_fitted,
        max(value) filter (feature = 'silhouette_out_of_sample') as score,
        max(value) filter (feature = 'silhouette_baseline') as baseline_score,
        to_json(map_from_entries(
            array_agg((feature, value) order by feature) filter (component = 'metric')
        ))::varchar as metrics
    from fitted
),

final as (
    select
        {{ surrogate_key(['task', 'data_fingerprint', 'settings']) }} as model_run_key,
        task,
        data_fingerprint,
        settings,
        n_fitted,
        metrics,
        score,
        baseline_score,
        coalesce(score > baseline_score, false) as is_reliable,
        current_timestamp::timestamp as fitted_at
    from runs
)

select * from final
{% if is_incremental() %}
where model_run_key not in (select model_run_key from {{ this }})
{% endif %}
