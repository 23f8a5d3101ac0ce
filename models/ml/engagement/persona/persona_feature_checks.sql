-- What each feature does for the grouping. There is no p-value: the features made the groups.
with fitted as (
    select * from {{ ref('persona_fit') }}
),

final as (
    select
        person_type,
        feature,
        max(value) filter (component = 'variance') as variance,
        max(value) filter (component = 'largest_correlation') as largest_correlation,
        max(level) filter (component = 'largest_correlation') as correlated_with,
        max(value) filter (component = 'agreement_without') as agreement_without,
        coalesce(agreement_without >= {{ var('persona_agreement_of_idle_feature') }}, false)
            as changes_nothing
    from fitted
    where component in ('variance', 'largest_correlation', 'agreement_without')
    group by person_type, feature
)

select * from final
