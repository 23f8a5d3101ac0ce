-- The lab's own column names; amounts and rules come from core.
{{ config(
    materialized='view',
    post_hook="{{ export_to('data_warehouse/processed_healthcare_data') }}",
) }}

with treatments as (
    select * from {{ ref('fct_treatments') }}
),

doctors as (
    select * from {{ ref('dim_provider') }}
    where assigning_authority = {{ assigning_authority('hospital', 'provider') }}
),

feedback as (
    select * from {{ ref('patient_feedback_totals') }}
),

final as (
    select
        treatments.treatment_id,
        treatments.patient_id,
        treatments.provider_id as doctor_id,
        doctors.provider_name as doctor_name,
        doctors.specialty,
        treatments.treatment_type,
        treatments.treatment_cost_amount as treatment_cost,
        treatments.room_cost_amount as room_cost,
        treatments.revenue_amount as total_revenue,
        treatments.treatment_date,
        feedback.avg_feedback_score::double as avg_feedback,
        feedback.avg_feedback_score::double as patient_feedback_score,
        coalesce(feedback.n_feedback, 0) as n_feedback
    from treatments
    -- The hospital's identifiers are unique on the right: no row is lost or doubled. Joined by key,
    -- every treatment would hash two of them.
    left join doctors on treatments.provider_id = doctors.provider_id
    left join feedback on treatments.patient_id = feedback.patient_id
)

select * from final
