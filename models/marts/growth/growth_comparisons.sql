-- Everything of growth that is held against something else, in one form: so many of so much here,
-- so many of so much there. Where either side has nothing there is nothing to compare.
{{ config(materialized='view') }}

with referrers as (
    select * from {{ ref('referrer_periods') }}
    where is_history_long_enough
),

months as (
    select * from {{ ref('referral_months') }}
    where n_days_before > 0
),

service_lines as (
    select * from {{ ref('service_line_periods') }}
    where n_days > 0
),

claims as (
    select
        *,
        sum(n_claims_denied) over () - n_claims_denied as n_denied_of_others,
        sum(total_visits) over () - total_visits as n_claims_of_others
    from {{ ref('provider_claim_totals') }}
),

final as (
    select
        'referrer' as comparison, provider_key as subject_key, null::date as month_start_date,
        n_recent as n, {{ var('growth_recent_days') }} as exposure,
        n_earlier as n_other, {{ var('growth_earlier_days') }} as exposure_other
    from referrers
    union all
    select
        'month' as comparison, provider_key, month_start_date, n_encounters, n_days, n_before,
        n_days_before
    from months
    union all
    select
        'service line' as comparison, service_line_key, null as month_start_date, n_newest,
        n_days as exposure, n_before, n_days as exposure_other
    from service_lines
    union all
    select
        'denials' as comparison, provider_key, null as month_start_date, n_claims_denied,
        total_visits, n_denied_of_others, n_claims_of_others
    from claims
    where n_claims_of_others > 0
)

select
    * replace (
        n::bigint as n, exposure::bigint as exposure, n_other::bigint as n_other,
        exposure_other::bigint as exposure_other
    )
from final
