-- A view, so that a build shows as soon as it has ended.
{{ config(materialized='view') }}

select
    build_id,
    command,
    raw_dir,
    areas,
    is_full_refresh,
    started_at,
    completed_at,
    epoch_us(completed_at - started_at) / 1e6 as duration_seconds,
    n_nodes,
    n_failed
from {{ source('landing', 'builds') }}
