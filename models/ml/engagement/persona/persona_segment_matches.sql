-- The first rule of the seed persona_rules that the middle of a persona meets; none is Moderate.
with centres as (
    select
        *,
        case when standardised_difference < 0 then 'low ' else 'high ' end
        || replace(feature, '_', ' ') as difference
    from {{ ref('persona_centres') }}
),

rules as (
    select
        *,
        count(*) over (partition by rule_order) as n_conditions
    from {{ ref('persona_rules') }}
),

held as (
    select
        centres.person_type,
        centres.persona_number,
        rules.rule_order,
        rules.segment,
        rules.combination,
        rules.n_conditions,
        count(*) filter (where case rules.comparison
            when 'above' then centres.centre > rules.threshold
            when 'below' then centres.centre < rules.threshold
        end) as n_held
    from centres
    inner join rules on centres.feature = rules.feature
    group by all
),

placed as (
    select
        *,
        row_number() over (partition by person_type, persona_number order by rule_order) as place
    from held
    where n_held >= case combination when 'any' then 1 else n_conditions end
),

final as (
    select
        centres.person_type,
        centres.persona_number,
        coalesce(any_value(placed.segment), 'Moderate') as segment,
        string_agg(centres.difference, ', ' order by centres.distinction)
        filter (centres.distinction <= 2) as distinguishing_features,
        any_value(centres.difference) filter (centres.distinction = 1) as most_distinguishing
    from centres
    -- One row per persona on the right.
    left join placed
        on
            centres.person_type = placed.person_type
            and centres.persona_number = placed.persona_number
            and placed.place = 1
    group by centres.person_type, centres.persona_number
)

select * from final
