-- The processed rows with the patient's status, written back for the systems that asked.
{{ config(
    materialized='view',
    post_hook="{{ export_to('reverse_etl_output/enriched_healthcare_data') }}",
) }}

with processed as (
    select * from {{ ref('processed_healthcare_data') }}
),

patients as (
    select * from {{ ref('patient_vip') }}
),

final as (
    select
        processed.*,
        patients.vip_status
    from processed
    -- patient_id is unique on the right, and every treated patient has a status.
    left join patients on processed.patient_id = patients.patient_id
)

select * from final
