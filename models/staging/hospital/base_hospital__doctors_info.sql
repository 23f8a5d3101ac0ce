-- A doctor is accepted when it has an identifier. Where one is described twice, the last wins.
{{ config(materialized='incremental_by_file', key=['doctor_id'], on_conflict='last') }}

with doctors as (
    select * from {{ landed('hospital', 'doctors_info') }}
),

parsed as (
    select
        doctors as raw,
        source_file,
        {{ parse_id('doctor_id') }} as doctor_id,
        {{ parse_text('doctor_name') }} as doctor_name,
        {{ parse_text('specialty') }} as specialty
    from doctors
),

validated as (
    select
        *,
        []::varchar[] as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'doctor_id') }}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw), {{ envelope() }} from validated
)

select * from final
