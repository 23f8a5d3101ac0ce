-- A view, so that a build shows as soon as it has ended.
{{ config(materialized='view') }}

with counts as (
    select * from {{ source('landing', 'row_counts') }}
),

builds as (
    select * from {{ ref('builds') }}
),

final as (
    select
        counts.build_id,
        builds.started_at as build_started_at,
        builds.raw_dir,
        builds.areas,
        counts.area,
        counts.relation_name,
        counts.column_name,
        counts.n_rows,
        counts.n_null,
        case
            when counts.column_name is null then counts.n_rows
            else counts.n_null / nullif(counts.n_rows, 0)
        end::double as value
    from counts
    -- One row per build on the right.
    inner join builds on counts.build_id = builds.build_id
)

select * from final
