-- No feed lists departments: they are those that events mention. One that no spelling of the seed
-- stands for is an inferred member.
with stays as (
    select
        department_key,
        hospital_id,
        department
    from {{ ref('fct_patient_stays') }}
    group by department_key, hospital_id, department
),

known as (
    select department from {{ ref('departments') }}
    group by department
),

final as (
    select
        stays.department_key,
        stays.hospital_id,
        stays.department,
        {{ assigning_authority('patient_flow', 'hospital') }} as assigning_authority,
        known.department is null as is_inferred
    from stays
    -- A department is known once.
    left join known on stays.department = known.department
)

select * from final
