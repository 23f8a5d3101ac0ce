-- Who and what is in a situation that the playbook has an action for, each with its evidence.
{{ config(materialized='view') }}

with referrers as (
    select
        if(referrer_status in ('declining', 'lapsed'), 'win back', 'keep') as action,
        'referrer' as subject_type,
        provider_name as subject,
        null::varchar as item_name,
        'encounters in the last {{ var("growth_recent_days") }} days: ' || n_recent
        || ', in the {{ var("growth_earlier_days") }} days before: ' || n_earlier as evidence,
        n_recent + n_earlier as n,
        referrer_status || ': ' || status_evidence as verdict
    from {{ ref('referrer_status') }}
    -- Whoever stopped long ago is not won back by a letter.
    where referrer_status is not null and n_recent + n_earlier > 0
),

service_lines as (
    select
        'grow' as action, 'service line' as subject_type, service_line, null as item_name,
        'encounters in the newest ' || n_days_compared || ' days: ' || n_newest
        || ', in those before: ' || n_before as evidence,
        n_newest + n_before as n, verdict
    from {{ ref('service_line_summary') }}
    where verdict = 'more'
),

denials as (
    select
        'fix denials' as action, 'provider' as subject_type, providers.provider_name,
        null as item_name,
        claims.n_claims_denied || ' of ' || claims.total_visits || ' claims denied' as evidence,
        claims.total_visits, 'more often than those of the others' as verdict
    from {{ ref('provider_claim_totals') }} as claims
    inner join {{ ref('growth_providers') }} as providers
        on claims.provider_key = providers.provider_key
    inner join {{ ref('growth_comparison_tests') }} as tests
        on claims.provider_key = tests.subject_key and tests.comparison = 'denials'
    where {{ change_verdict() }} = 'more'
),

items as (
    select
        'reorder' as action, 'provider' as subject_type, provider_name, item_name,
        quantity_on_hand || ' at hand, to be ordered at ' || reorder_point as evidence,
        1::bigint as n,
        case
            when days_of_cover is null then 'not in use'
            else {{ round_half_up('days_of_cover', 1) }} || ' days of cover'
        end as verdict
    from {{ ref('supply_position') }}
    where is_at_reorder_point
)

select * from referrers
union all
select * from service_lines
union all
select * from denials
union all
select * from items
