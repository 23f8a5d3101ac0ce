-- What was known of a patient when: a version holds from the build that first saw it.
with versions as (
    select * from {{ ref('telehealth_patients_versions') }}
),

final as (
    select
        {{ member_key('telehealth', 'patient', 'patient_id') }} as patient_key,
        patient_id,
        row_number() over (partition by patient_id order by dbt_valid_from, dbt_scd_id)
            as version_number,
        dbt_valid_from::timestamp as valid_from,
        dbt_valid_to::timestamp as valid_to,
        dbt_valid_to is null as is_current,
        age,
        age_group,
        gender,
        has_insurance,
        registration_date
    from versions
)

select * from final
