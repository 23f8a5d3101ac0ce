-- A bed is held from admission, or from the event that first names it, until another bed is named
-- or the patient leaves. A view: beds are looked at, not counted on in every cycle.
{{ config(materialized='view') }}

with events as (
    select * from {{ ref('stg_patient_flow__patient_events') }}
    where bed_id is not null
),

numbered as (
    select
        *,
        {{ stay_event_number() }} as event_number
    from events
),

moves as (
    select
        *,
        lag(bed_id) over (partition by patient_stay_key order by event_number) as former_bed_id
    from numbered
    qualify former_bed_id is distinct from bed_id
),

uses as (
    select
        moves.patient_stay_key,
        stays.department_key,
        stays.hospital_id,
        moves.bed_id,
        case
            when moves.former_bed_id is null then stays.admitted_at
            -- When an event without a clock moved the patient is unknown: the later bed counts.
            else greatest(stays.admitted_at, coalesce(moves.event_time, moves.ingested_at))
        end as started_at,
        stays.discharged_at,
        moves.event_number
    from moves
    -- patient_stay_key is unique on the right.
    inner join {{ ref('fct_patient_stays') }} as stays
        on moves.patient_stay_key = stays.patient_stay_key
    where stays.is_stay_credible
),

final as (
    select
        patient_stay_key,
        department_key,
        hospital_id,
        bed_id,
        started_at,
        coalesce(
            lead(started_at) over (partition by patient_stay_key order by event_number),
            discharged_at
        ) as ended_at
    from uses
    qualify ended_at is null or ended_at > started_at
)

select * from final
