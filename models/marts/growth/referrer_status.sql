-- Who is new, sends more, sends fewer or none, as of the newest admission. A change that may be
-- chance is none; where the data do not reach back far enough nothing is said.
with periods as (
    select * from {{ ref('referrer_periods') }}
),

providers as (
    select * from {{ ref('growth_providers') }}
),

tests as (
    select * from {{ ref('growth_comparison_tests') }}
    where comparison = 'referrer'
),

compared as (
    select
        periods.*,
        providers.provider_name,
        tests.* exclude (comparison, subject_key, month_start_date),
        {{ change_verdict() }} as verdict
    from periods
    -- Each is unique by provider.
    inner join providers on periods.provider_key = providers.provider_key
    left join tests on periods.provider_key = tests.subject_key
),

final as (
    select
        provider_key,
        provider_name,
        as_of_date,
        first_admission_date,
        last_admission_date,
        n_recent,
        n_earlier,
        rate_ratio,
        rate_ratio_low,
        rate_ratio_high,
        p_value,
        p_value_adjusted,
        case
            when not is_history_long_enough then null
            when first_admission_date > as_of_date - {{ var('growth_recent_days') }} then 'new'
            when n_recent + n_earlier = 0 then 'lapsed'
            when verdict = 'fewer' then if(n_recent = 0, 'lapsed', 'declining')
            when verdict = 'more' then 'growing'
            else 'steady'
        end as referrer_status,
        case
            when not is_history_long_enough
                then 'the encounters reach back less than '
                    || '{{ var("growth_recent_days") + var("growth_earlier_days") }} days'
            when n_recent + n_earlier = 0 then 'no encounter in the whole time compared'
            when first_admission_date > as_of_date - {{ var('growth_recent_days') }}
                then 'first encounter in the last {{ var('growth_recent_days') }} days'
            when verdict in ('more', 'fewer')
                then verdict || ' than in the {{ var("growth_earlier_days") }} days before'
            else verdict || ' against the {{ var("growth_earlier_days") }} days before'
        end as status_evidence
    from compared
)

select * from final
order by provider_name, provider_key
