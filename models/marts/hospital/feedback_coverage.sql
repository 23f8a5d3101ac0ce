-- Where to collect more feedback: the share of treated patients who ever answered.
with care as (
    select * from {{ ref('fct_patient_provider_treatments') }}
),

doctors as (
    select * from {{ ref('dim_provider') }}
),

feedback as (
    select * from {{ ref('fct_patient_feedback_totals') }}
),

patients as (
    select
        doctors.provider_id as doctor_id,
        coalesce(doctors.specialty, 'Unknown') as specialty,
        care.patient_key,
        feedback.patient_key as answering_key
    from care
    -- provider_key and patient_key are unique on the right.
    inner join doctors on care.provider_key = doctors.provider_key
    left join feedback on care.patient_key = feedback.patient_key
),

grouped as (
    select 'doctor' as coverage_level, doctor_id as coverage_group, patient_key, answering_key
    from patients
    union all
    -- Several doctors of a specialty may have treated one patient, who counts once.
    select distinct 'specialty' as coverage_level, specialty, patient_key, answering_key
    from patients
),

counted as (
    select
        coverage_level,
        coverage_group,
        count(*) as n_patients,
        count(answering_key) as n_patients_with_feedback
    from grouped
    group by coverage_level, coverage_group
),

final as (
    select
        coverage_level,
        coverage_group,
        n_patients,
        n_patients_with_feedback,
        n_patients_with_feedback::double / n_patients as feedback_coverage_rate,
        {{ wilson_bound('n_patients_with_feedback', 'n_patients', 'low') }}
            as feedback_coverage_rate_low,
        {{ wilson_bound('n_patients_with_feedback', 'n_patients', 'high') }}
            as feedback_coverage_rate_high
    from counted
)

select * from final
order by coverage_level, feedback_coverage_rate, coverage_group
