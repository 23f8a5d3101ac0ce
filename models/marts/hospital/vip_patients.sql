-- Each patient with the status, and what the reference table of proposals offers to such patients.
{{ config(materialized='view') }}

with patients as (
    select
        *,
        case
            when is_feedback_imputed then 'unknown'
            when {{ on_five_points('avg_feedback', 'hospital', 'patient_feedback') }} < 3 then 'low'
            else 'high'
        end as feedback_band
    from {{ ref('patient_vip') }}
),

proposals as (
    select * from {{ ref('vip_proposals') }}
),

final as (
    select
        patients.patient_key,
        patients.vip_status,
        patients.feedback_band,
        patients.total_revenue,
        patients.n_visits,
        patients.avg_spent,
        case when not patients.is_feedback_imputed then patients.avg_feedback end as avg_feedback,
        patients.margin,
        patients.main_driver,
        patients.is_reliable,
        proposals.offer,
        proposals.care_programme
    from patients
    -- The pair of status and band is unique on the right.
    left join proposals
        on
            patients.vip_status = proposals.vip_status
            and patients.feedback_band = proposals.feedback_band
)

select * from final
