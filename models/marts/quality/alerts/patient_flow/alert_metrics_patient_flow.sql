-- Does the stream still run, and where are the beds full? Full is decided by the last hour of which
-- anything is known. An event dated after the clock says nothing of how new the data are.
{{ config(materialized='view') }}

with occupancy as (
    select * from {{ ref('bed_occupancy') }}
    where
        hour_at <= {{ as_of() }}
        and n_beds_known > 0
    qualify hour_at = max(hour_at) over ()
),

measures as (
    select
        'stale_patient_events' as alert_type,
        'age of the newest patient event' as metric,
        epoch_us({{ as_of() }} - max(last_event_at)) / 3.6e9 as value,
        count(*) as n
    from {{ ref('fct_patient_stays') }}
    where last_event_at <= {{ as_of() }}
    union all
    select
        'high_occupancy' as alert_type,
        'beds in use in ' || department || ' of hospital ' || hospital_id as metric,
        occupancy_rate::double as value,
        n_beds_known as n
    from occupancy
),

final as (
    select
        'patient_flow' as area,
        alert_type,
        metric,
        value,
        n,
        {{ as_of() }} as as_of
    from measures
    where n > 0
)

select * from final
