-- What can be predicted, and what cannot: each model against its baseline out of time, in
-- words. An area without data has nothing to say.
with fits as (
    {{ fit_summary(areas()['telehealth']['fits']) }}
),

statements as (
    select * from {{ ref('model_statements') }}
),

final as (
    select
        statements.task,
        statements.statement,
        statements.metric,
        fits.score,
        fits.score_low,
        fits.score_high,
        statements.baseline,
        fits.baseline_score,
        fits.n_fitted,
        fits.is_reliable,
        case
            when fits.score is null then 'too few to tell'
            when fits.is_reliable then statements.verdict_if_reliable
            else statements.verdict_otherwise
        end as verdict
    from statements
    -- task is unique on the right.
    inner join fits on statements.task = fits.task and fits.n_fitted > 0
)

select * from final
order by task
