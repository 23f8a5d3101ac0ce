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
        feedback.patient_key as answering_patient_key
    from care
    -- Keys are unique on the right.
    inner join doctors on care.provider_key = doctors.provider_key
    left join feedback on care.patient_key = feedback.patient_key
),

by_doctor as (
    select
        'doctor' as coverage_level,
        doctor_id as coverage_group,
        count(*) as n_patients,
        count(answering_patient_key) as n_patients_with_feedback
    from patients
    group by doctor_id
),

-- Several doctors of a specialty may have treated one patient, who counts once.
specialty_patients as (
    select
        specialty,
        any_value(answering_patient_key) as answering_patient_key
    from patients
    group by specialty, patient_key
),

by_specialty as (
    select
        'specialty' as coverage_level,
        specialty as coverage_group,
        count(*) as n_patients,
        count(answering_patient_key) as n_patients_with_feedback
    from specialty_patients
    group by specialty
),

counted as (
    select * from by_doctor
    union all
    select * from by_specialty
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
