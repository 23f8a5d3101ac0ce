-- Stays longer than the department's target: those that ended, and those of patients who are still
-- there by the clock of patient_stays.
{{ config(materialized='view') }}

with stays as (
    select * from {{ ref('patient_stays') }}
),

targets as (
    {{ department_targets() }}
),

final as (
    select
        stays.patient_stay_key,
        stays.patient_key,
        stays.department_key,
        stays.hospital_id,
        stays.department,
        stays.bed_id,
        stays.admitted_at,
        stays.discharged_at,
        stays.is_currently_admitted,
        stays.hours_so_far,
        targets.target as target_hours,
        stays.hours_so_far - targets.target as hours_beyond_target
    from stays
    -- One target of the length of stay per department.
    inner join targets
        on stays.department_key = targets.department_key and targets.measure = 'length of stay'
    where stays.hours_so_far > targets.target
)

select * from final
order by hours_beyond_target desc, patient_stay_key asc
