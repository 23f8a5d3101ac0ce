-- No feed lists departments: they are those that events mention. One that no spelling of the seed
-- stands for is an inferred member.
{{ config(
    materialized='incremental_by_key', key=['department_key'],
    consumes=['department_hour_flows(department_key)'],
) }}

with mentioned as (
    select
        department_key,
        hospital_id,
        department
    from {{ only_changed(ref('department_hour_flows')) }}
    group by department_key, hospital_id, department
),

known as (
    select department from {{ ref('departments') }}
    group by department
),

final as (
    select
        mentioned.department_key,
        mentioned.hospital_id,
        mentioned.department,
        {{ assigning_authority('patient_flow', 'hospital') }} as assigning_authority,
        known.department is null as is_inferred
    from mentioned
    -- A department is known once.
    left join known on mentioned.department = known.department
)

select * from final
