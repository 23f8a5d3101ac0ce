-- Shares of records refused and of values not readable that are beyond a threshold. What stops a
-- build is alerted of where none stops, as in a stream.
{{ config(materialized='view') }}

with shares as (
    select * from {{ ref('intake_shares') }}
    where verdict <> 'fine'
),

final as (
    select
        area,
        measure as alert_type,
        case verdict when 'stop' then 'HIGH' else 'MEDIUM' end as severity,
        coalesce('values of ' || column_name || ' not readable', 'records refused')
        || ' in ' || area || '.' || feed as metric,
        affected_share as value,
        case verdict when 'stop' then stop_share else warn_share end as threshold,
        'above' as comparison,
        'share' as unit,
        {{ as_of() }} as as_of
    from shares
)

select * from final
