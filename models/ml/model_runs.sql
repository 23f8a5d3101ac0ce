-- A fit is the same when its task, data and settings are: building twice adds no row. What found no
-- row to learn from, for an area that has no data, is no fit.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
) }}

with runs as (
    {{ fit_summary(of_all_areas('fits') | map('last') | list) }}
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
        is_reliable,
        current_timestamp::timestamp as fitted_at
    from runs
    where n_fitted > 0{{ ' and false' if not reads_all() }}
)

select * from final
{% if is_incremental() %}
where model_run_key not in (select model_run_key from {{ this }})
{% endif %}
