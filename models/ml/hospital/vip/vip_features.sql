-- Who has never answered a survey takes the mean of those who have, or, where nobody has, the
-- middle of the scale, which then separates no patient from another.
with care as (
    select * from {{ ref('patient_provider_totals') }}
),

feedback as (
    select * from {{ ref('patient_feedback_totals') }}
),

patients as (
    select
        patient_key,
        any_value(patient_id) as patient_id,
        sum(revenue_amount)::decimal(38, 2) as total_revenue,
        sum(n_treatments)::bigint as n_visits
    from care
    group by patient_key
),

answers as (
    select
        patients.*,
        feedback.avg_feedback_score
    from patients
    -- One row per patient on the right.
    left join feedback on patients.patient_key = feedback.patient_key
),

known as (
    select coalesce(sum(avg_feedback_score) / count(avg_feedback_score), 3) as mean_score
    from answers
),

final as (
    select
        answers.patient_key,
        answers.patient_id,
        answers.total_revenue,
        answers.n_visits,
        answers.total_revenue::double / answers.n_visits as avg_spent,
        coalesce(answers.avg_feedback_score::double, known.mean_score::double) as avg_feedback,
        answers.avg_feedback_score is null as is_feedback_imputed
    from answers
    -- known is one row.
    cross join known
)

select * from final
