-- Patients that count: accepted, and the last description of each.
with patients as (
    select * from {{ ref('base_telehealth__patients') }}
),

final as (
    select
        patient_id,
        age,
        age_group,
        gender,
        has_insurance,
        registration_date,
        repairs,
        source_file,
        record_hash
    from patients
    where rejection_reason is null and not is_duplicate
)

select * from final
