-- A department's stays by the quarter of admission. Its margin is department_flow.
{{ config(materialized='view') }}

with stays as (
    select * from {{ ref('fct_patient_stays') }}
),

departments as (
    select * from {{ ref('dim_department') }}
),

flows as (
    select
        {{ calendar_quarter('admission_date') }} as calendar_quarter,
        department_key,
        count(distinct patient_key) as n_patients,
        count(*) as n_stays,
        count(wait_minutes) filter (is_admission_credible) as n_wait_known,
        sum(wait_minutes) filter (is_admission_credible) as wait_minutes_total,
        count(length_of_stay_hours) as n_stay_known,
        sum(length_of_stay_hours) as length_of_stay_hours_total
    from stays
    group by calendar_quarter, department_key
),

final as (
    select
        flows.calendar_quarter,
        departments.department_key,
        departments.hospital_id,
        departments.department,
        flows.n_patients,
        flows.n_stays,
        flows.n_wait_known,
        {{ round_half_up('flows.wait_minutes_total / nullif(flows.n_wait_known, 0)', 2) }}
            as avg_wait_minutes,
        flows.n_stay_known,
        {{ round_half_up('flows.length_of_stay_hours_total / nullif(flows.n_stay_known, 0)', 2) }}
            as avg_length_of_stay_hours
    from flows
    -- department_key is unique on the right.
    inner join departments on flows.department_key = departments.department_key
)

select * from final
order by calendar_quarter, hospital_id, department
