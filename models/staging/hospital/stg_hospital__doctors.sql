-- Doctors that count: accepted, and the last description of each.
with doctors as (
    select * from {{ ref('base_hospital__doctors_info') }}
),

final as (
    select
        doctor_id,
        doctor_name,
        specialty,
        source_file,
        record_hash,
        repairs
    from doctors
    where rejection_reason is null and not is_duplicate
)

select * from final
