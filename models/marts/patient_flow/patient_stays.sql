-- Who is there now is decided when the view is read, by var('as_of') or the clock. Nobody is there
-- whose times cannot be believed, or who would have stayed longer than any stay can be. Where no
-- file has discharges, nobody knows who is there.
{{ config(materialized='view') }}

with stays as (
    select * from {{ ref('fct_patient_stays') }}
),

judged as (
    select
        *,
        case
            when {{ is_delivered('patient_flow', 'patient_events', 'discharge_time') }}
                then is_stay_credible
                    and admitted_at <= {{ as_of() }}
                    and not {{ is_too_long(as_of()) }}
                    and coalesce(discharged_at > {{ as_of() }}, true)
        end as is_currently_admitted
    from stays
),

final as (
    select
        patient_stay_key, patient_key, department_key,
        hospital_id, department, patient_id, bed_id,
        admitted_at, discharged_at,
        age, gender, wait_minutes, length_of_stay_hours,
        is_stay_credible, is_discharge_planned, is_currently_admitted,
        case
            when is_currently_admitted
                then {{ round_half_up(
                    '(epoch_us(' ~ as_of() ~ ') - epoch_us(admitted_at)) / 3.6e9', 4
                ) }}
            else length_of_stay_hours
        end as hours_so_far
    from judged
)

select * from final
