-- Answers that are empty because an optional feed is not there: of areas that are built.
with reconciliation as (
    select * from {{ ref('feed_reconciliation') }}
),

answers as (
    {{ answers_of_feeds() }}
),

final as (
    select
        answers.area,
        answers.feed,
        answers.table_name,
        answers.column_name
    from answers
    -- A feed is in reconciliation once.
    inner join reconciliation
        on answers.area = reconciliation.area and answers.feed = reconciliation.feed
    where
        reconciliation.n_files = 0
        and answers.area in (
            select area from reconciliation
            where n_files > 0
        )
)

select * from final
order by area, feed, table_name, column_name
