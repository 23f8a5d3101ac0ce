-- What a specialty's doctors did, and what their patients say: a patient counts once, with the mean
-- of all that the patient answered, whoever treated.
{{ config(materialized='view') }}

with care as (
    select * from {{ ref('patient_provider_totals') }}
),

providers as (
    select * from {{ ref('dim_provider') }}
),

feedback as (
    select * from {{ ref('patient_feedback_totals') }}
),

patients as (
    select
        coalesce(providers.specialty, 'Unknown') as specialty,
        care.patient_key,
        sum(care.n_treatments)::bigint as n_treatments,
        sum(care.revenue_amount) as revenue_amount
    from care
    -- provider_key is unique on the right.
    inner join providers on care.provider_key = providers.provider_key
    group by coalesce(providers.specialty, 'Unknown'), care.patient_key
),

final as (
    select
        patients.specialty,
        count(*) as n_patients,
        sum(patients.n_treatments)::bigint as n_treatments,
        sum(patients.revenue_amount)::decimal(38, 2) as total_revenue,
        count(feedback.patient_key) as n_patients_with_feedback,
        {{ rate_with_interval(
            'n_patients_with_feedback', 'n_patients', 'feedback_coverage_rate'
        ) }},
        {{ round_half_up('avg(feedback.avg_feedback_score)', 2) }} as avg_feedback
    from patients
    -- patient_key is unique on the right.
    left join feedback on patients.patient_key = feedback.patient_key
    group by patients.specialty
)

select * from final
order by total_revenue desc, specialty asc
