-- Whether a provider sends more or fewer patients than before. Of the providers of a month each is
-- tested, so that a month's verdicts together are wrong by chance no more often than one test.
with months as (
    select * from {{ ref('referral_months') }}
),

providers as (
    select * from {{ ref('growth_providers') }}
),

tests as (
    select * from {{ ref('growth_comparison_tests') }}
    where comparison = 'month'
),

final as (
    select
        months.provider_key,
        providers.provider_name,
        months.month_start_date,
        months.n_days,
        months.n_encounters,
        case
            when tests.rate_ratio is null and months.n_days_before is null
                then 'nothing: the first month'
            when months.has_year_before then 'the same month a year before'
            else 'the months before'
        end as compared_with,
        months.n_before,
        months.n_days_before,
        tests.rate_ratio,
        tests.rate_ratio_low,
        tests.rate_ratio_high,
        tests.p_value,
        tests.p_value_adjusted,
        {{ change_verdict() }} as verdict
    from months
    -- Each is unique by provider, and by provider and month.
    inner join providers on months.provider_key = providers.provider_key
    left join tests
        on months.provider_key = tests.subject_key
            and months.month_start_date = tests.month_start_date
)

select * from final
order by provider_name, provider_key, month_start_date
