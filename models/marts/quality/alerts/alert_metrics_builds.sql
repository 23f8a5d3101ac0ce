-- How the newest build went, and how unlike its history what it left is.
{{ config(materialized='view') }}

with newest_build as (
    select * from {{ ref('builds') }}
    where started_at <= {{ as_of() }}
    order by started_at desc, build_id desc
    limit 1
),

measures as (
    select
        'warehouse' as area,
        'slow_build' as alert_type,
        'duration of the build' as metric,
        duration_seconds / 60 as value,
        n_nodes as n
    from newest_build
    union all
    select
        'warehouse' as area,
        'slow_node' as alert_type,
        'duration of ' || node_runs.node_id as metric,
        node_runs.duration_seconds as value,
        1 as n
    from {{ ref('node_runs') }} as node_runs
    inner join newest_build on node_runs.build_id = newest_build.build_id
    union all
    select
        area,
        case when column_name is null then 'row_count_anomaly' else 'null_share_anomaly' end
            as alert_type,
        case
            when column_name is null then 'rows of ' || relation_name
            else 'null share of ' || column_name || ' in ' || relation_name
        end as metric,
        abs(robust_z) as value,
        n_earlier_builds as n
    from {{ ref('row_count_anomalies') }}
    where robust_z is not null
),

final as (
    select
        *,
        {{ as_of() }} as as_of
    from measures
)

select * from final
