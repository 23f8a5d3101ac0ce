-- Volume, quality and cost of each service line, and whether its volume changed.
with encounters as (
    select * from {{ ref('fct_encounters') }}
),

periods as (
    select * from {{ ref('service_line_periods') }}
),

tests as (
    select * from {{ ref('growth_comparison_tests') }}
    where comparison = 'service line'
),

totals as (
    select
        service_line_key,
        any_value(service_line) as service_line,
        {{ encounter_totals() }},
        sum(count(*)) over () as n_all
    from encounters
    group by service_line_key
),

final as (
    select
        totals.* exclude (n_all),
        {{ rate_with_interval('totals.n_encounters', 'totals.n_all', 'encounter_share') }},
        case
            when periods.n_days = 365 then 'last 365 days against the 365 before'
            when periods.n_days > 0 then 'newest half of the data against the half before'
        end as compared_periods,
        periods.n_days as n_days_compared,
        periods.n_newest,
        periods.n_before,
        tests.rate_ratio,
        tests.rate_ratio_low,
        tests.rate_ratio_high,
        tests.p_value,
        tests.p_value_adjusted,
        {{ change_verdict() }} as verdict
    from totals
    -- Each is unique by service line.
    inner join periods on totals.service_line_key = periods.service_line_key
    left join tests on totals.service_line_key = tests.subject_key
)

select * from final
order by n_encounters desc, service_line asc
