-- Sums behind the insights that compare appointments: y is what is looked at, in each group. Groups
-- that are not known are left out.
{{ config(materialized='view') }}

with appointments as (
    select * from {{ ref('fct_appointments') }}
),

patients as (
    select * from {{ ref('dim_patient') }}
),

visits as (
    select
        appointments.appointment_type,
        nullif(appointments.device_type, 'Unknown') as device_type,
        patients.age_group,
        case patients.has_insurance when true then 'Insured' when false then 'Uninsured' end
            as insurance,
        appointments.is_completed::integer as is_completed,
        (appointments.appointment_status = 'No-show')::integer as is_no_show,
        appointments.has_technical_issues::integer as has_technical_issues,
        appointments.wait_minutes,
        case when appointments.is_completed then appointments.duration_minutes end as visit_minutes
    from appointments
    -- patient_key is unique on the right.
    inner join patients on appointments.patient_key = patients.patient_key
),

final as (
    {{ insight_sums('status_mix', 'visits', "'Completed'", 'is_completed') }}
    union all
    {{ insight_sums('device_technical_issues', 'visits', 'device_type', 'has_technical_issues') }}
    union all
    {{ insight_sums('device_wait', 'visits', 'device_type', 'wait_minutes') }}
    union all
    {{ insight_sums('appointment_type_duration', 'visits', 'appointment_type', 'visit_minutes') }}
    union all
    {{ insight_sums('age_group_no_show', 'visits', 'age_group', 'is_no_show') }}
    union all
    {{ insight_sums('insurance_no_show', 'visits', 'insurance', 'is_no_show') }}
)

select * from final
