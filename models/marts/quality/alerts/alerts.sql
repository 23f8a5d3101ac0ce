-- A metric beyond its threshold. A view: who looks without a build sees data grow old all the same.
{{ config(materialized='view') }}

with metrics as (
    select * from {{ ref('alert_metrics') }}
),

thresholds as (
    select * from {{ ref('alert_thresholds') }}
),

observed as (
    select
        metrics.* exclude (n),
        thresholds.severity,
        thresholds.comparison,
        thresholds.threshold,
        thresholds.unit
    from metrics
    -- One threshold per area and type; a type of the area 'all' has no other.
    inner join thresholds
        on
            metrics.alert_type = thresholds.alert_type
            and thresholds.area in (metrics.area, 'all')
    where
        (thresholds.comparison = 'above' and metrics.value > thresholds.threshold)
        or (thresholds.comparison = 'below' and metrics.value < thresholds.threshold)
    union all by name
    select * from {{ ref('intake_alerts') }}
),

beyond as (
    select
        *,
        case unit when 'share' then 100 else 1 end as factor,
        case unit
            when 'share' then ' %'
            when 'count' then ''
            else ' ' || unit
        end as unit_told
    from observed
),

final as (
    select
        area,
        alert_type,
        severity,
        format(
            '{}: {}{} ({} {}{})',
            metric, {{ plain_number('factor * value') }}, {{ unit_of('factor * value') }},
            comparison,
            {{ plain_number('factor * threshold') }},
            {{ unit_of('factor * threshold') }}
        ) as message,
        metric,
        value,
        threshold,
        as_of
    from beyond
)

select * from final
order by area, alert_type, metric
