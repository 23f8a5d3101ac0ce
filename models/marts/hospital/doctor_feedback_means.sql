-- A doctor's mean feedback with its standard error. The sampling unit is the patient, whose answers
-- are one mean that weighs as many times as the doctor treated the patient. Decimal sums do not
-- depend on the order of rows.
{{ config(materialized='view') }}

with care as (
    select * from {{ ref('patient_provider_totals') }}
),

feedback as (
    select * from {{ ref('patient_feedback_totals') }}
),

weighted as (
    select
        care.provider_key,
        care.n_treatments::decimal(9, 0) as weight,
        feedback.avg_feedback_score::decimal(9, 6) as score
    from care
    -- patient_key is unique on the right.
    inner join feedback on care.patient_key = feedback.patient_key
),

sums as (
    select
        provider_key,
        count(*) as n_patients_with_feedback,
        sum(weight)::bigint as n_treatments_with_feedback,
        sum(weight * score)::double / n_treatments_with_feedback as avg_feedback_score,
        sum(weight * weight)::double as squared_weight_sum,
        sum(weight * weight * score)::double as squared_weight_score_sum,
        sum(weight * weight * score * score)::double as squared_weighted_sum,
        sum(score)::double as score_sum,
        sum(score * score)::double as score_square_sum
    from weighted
    group by provider_key
),

final as (
    select
        provider_key, n_patients_with_feedback, n_treatments_with_feedback, avg_feedback_score,
        -- Ratio estimator with the patient as cluster; null for a single patient.
        case
            when n_patients_with_feedback > 1
                then sqrt(greatest(
                        (
                            squared_weighted_sum
                            - 2 * avg_feedback_score * squared_weight_score_sum
                            + avg_feedback_score * avg_feedback_score * squared_weight_sum
                        ) * n_patients_with_feedback / (n_patients_with_feedback - 1), 0
                    )) / n_treatments_with_feedback
        end as feedback_standard_error,
        score_sum, score_square_sum
    from sums
)

select * from final
