-- How likely each appointment that ended was to be missed, by what was known at booking, and whose
-- it was.
{{ config(materialized='view') }}

with risks as (
    select * from {{ ref('appointment_no_show_risk') }}
),

appointments as (
    select * from {{ ref('fct_appointments') }}
),

final as (
    select
        risks.appointment_id,
        appointments.patient_key,
        risks.appointment_date,
        appointments.appointment_type,
        risks.is_no_show,
        risks.no_show_probability,
        risks.expected_no_show_rate,
        risks.first_reason,
        risks.second_reason,
        risks.is_held_out,
        risks.is_reliable
    from risks
    -- appointment_id is unique on the right, and no risk is without its appointment.
    inner join appointments on risks.appointment_id = appointments.appointment_id
)

select * from final
