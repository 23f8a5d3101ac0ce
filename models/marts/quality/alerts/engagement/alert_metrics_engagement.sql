-- Do the personas hold, and does one of them grow or shrink by more than chance and relabelling
-- would?
{{ config(materialized='view') }}

with runs as (
    select
        task,
        is_reliable,
        lag(is_reliable) over fits as was_reliable,
        n_fitted,
        row_number() over (partition by task order by fitted_at desc) as place
    from {{ ref('model_runs') }}
    where task in ('persona_patient', 'persona_physician')
    window fits as (partition by task order by fitted_at)
),

measures as (
    select
        'persona_share_change' as alert_type,
        'change of the share of '
        || persona_name
        || ' among '
        || person_type
        || 's beyond noise' as metric,
        change_beyond_noise as value,
        n_people as n
    from {{ ref('persona_share_changes') }}
    where is_newest and change_beyond_noise is not null
    union all
    select
        'persona_stability' as alert_type,
        'agreement of bootstraps on the personas of ' || person_type || 's' as metric,
        bootstrap_ari as value,
        n_fitted as n
    from {{ ref('persona_validation') }}
    where bootstrap_ari is not null
    union all
    select
        'personas_unreliable' as alert_type,
        task || ' was reliable and is no more' as metric,
        (was_reliable and not is_reliable)::double as value,
        n_fitted as n
    from runs
    where place = 1 and was_reliable is not null
),

final as (
    select
        'engagement' as area,
        alert_type,
        metric,
        value,
        n,
        {{ as_of() }} as as_of
    from measures
)

select * from final
