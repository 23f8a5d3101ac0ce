-- A doctor's patients against all others: each patient's mean score counts once. The others are the
-- treated patients with feedback whom the doctor never treated.
with doctors as (
    select * from {{ ref('doctor_feedback_means') }}
),

care as (
    select * from {{ ref('patient_provider_totals') }}
),

feedback as (
    select * from {{ ref('patient_feedback_totals') }}
),

treated as (
    select
        count(*) as n_patients,
        sum(avg_feedback_score)::double as score_sum,
        sum(avg_feedback_score::decimal(9, 6) * avg_feedback_score::decimal(9, 6))::double
            as score_square_sum
    from feedback
    where patient_key in (select patient_key from care)
),

final as (
    select
        doctors.provider_key,
        doctors.n_patients_with_feedback,
        doctors.n_treatments_with_feedback,
        doctors.avg_feedback_score,
        doctors.feedback_standard_error,
        doctors.score_sum,
        doctors.score_square_sum,
        treated.n_patients - doctors.n_patients_with_feedback as n_other_patients_with_feedback,
        treated.score_sum - doctors.score_sum as other_score_sum,
        treated.score_square_sum - doctors.score_square_sum as other_score_square_sum
    from doctors
    -- treated is one row.
    cross join treated
)

select * from final
