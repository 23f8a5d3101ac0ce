-- A doctor is accepted when it has an identifier. Where one is described twice, the last stands.
{{ config(materialized='incremental_by_file', key=['doctor_id'], on_conflict='last') }}

with doctors as (
    select * from {{ landed('hospital', 'doctors_info') }}
),

parsed as (
    select
        doctors as raw,
        unreadable_text,
        source_file,
        {{ parse_id('doctor_id') }} as doctor_id,
        nullif(trim(doctor_name), '') as doctor_name,
        nullif(trim(specialty), '') as specialty
    from doctors
),

judged as (
    select
        *,
        []::varchar[] as repairs,
        {{ rejection([('doctor_id is null', 'missing_doctor_id')]) }} as rejection_reason
    from parsed
),

final as (
    select
        doctor_id,
        doctor_name,
        specialty,
        source_file,
        {{ record_hash(['doctor_id', 'doctor_name', 'specialty']) }} as record_hash,
        {{ record_hash(['doctor_id']) }} as key_hash,
        repairs,
        rejection_reason,
        false as is_duplicate,
        {{ rejected_record(['doctor_id', 'doctor_name', 'specialty', 'unreadable_text']) }}
            as rejected_record
    from judged
)

select * from final
