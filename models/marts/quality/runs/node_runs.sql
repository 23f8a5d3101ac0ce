-- A view, so that a build shows as soon as it has ended.
{{ config(materialized='view') }}

select
    node_runs.build_id,
    builds.started_at as build_started_at,
    node_runs.node_id,
    node_runs.node_name,
    node_runs.resource_type,
    node_runs.status,
    node_runs.duration_seconds
from {{ source('landing', 'node_runs') }} as node_runs
-- One row per build on the right.
inner join {{ ref('builds') }} as builds on node_runs.build_id = builds.build_id
