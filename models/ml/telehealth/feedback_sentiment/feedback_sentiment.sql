-- Mood of every answer's comment. Thresholds of the labels are those of VADER's authors.
with feedback as (
    select * from {{ ref('feedback_sentiment_features') }}
),

scores as (
    select * from {{ ref('comment_scores') }}
),

fitted as (
    select {{ fit_is_reliable() }} as is_reliable
    from {{ ref('feedback_sentiment_fit') }}
),

final as (
    select
        feedback.feedback_id,
        feedback.appointment_id,
        feedback.feedback_date,
        feedback.overall_satisfaction::decimal(18, 4) as overall_satisfaction,
        scores.sentiment_score,
        case
            when scores.sentiment_score >= 0.05 then 'positive'
            when scores.sentiment_score <= -0.05 then 'negative'
            when scores.sentiment_score is not null then 'neutral'
        end as sentiment,
        fitted.is_reliable
    from feedback
    -- comment_hash is unique on the right; fitted is one row.
    left join scores on feedback.comment_hash = scores.comment_hash
    cross join fitted
)

select * from final
