-- Two patients in one bed: a fault of the data. Each use that begins before the bed is free is set
-- against the earlier use that holds it longest, so that n uses at once give n - 1 rows.
{{ config(materialized='view') }}

with uses as (
    select * from {{ ref('bed_uses') }}
),

held as (
    select
        *,
        max(coalesce(ended_at, 'infinity')) over earlier as held_until,
        arg_max(patient_stay_key, coalesce(ended_at, 'infinity')) over earlier
            as other_patient_stay_key
    from uses
    window earlier as (
        partition by hospital_id, bed_id
        order by started_at, patient_stay_key
        rows between unbounded preceding and 1 preceding
    )
),

final as (
    select
        department_key,
        hospital_id,
        bed_id,
        patient_stay_key,
        other_patient_stay_key,
        started_at as overlap_started_at,
        nullif(least(held_until, coalesce(ended_at, 'infinity')), 'infinity') as overlap_ended_at
    from held
    where held_until > started_at
)

select * from final
order by hospital_id, bed_id, overlap_started_at, patient_stay_key
