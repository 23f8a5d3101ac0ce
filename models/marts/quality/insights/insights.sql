-- What people say of the data, each with its evidence. "No difference" is an answer too.
with definitions as (
    select * from {{ ref('insight_definitions') }}
),

tests as (
    select * from {{ ref('insight_tests') }}
),

final as (
    select
        definitions.area,
        definitions.insight,
        tests.statement,
        definitions.metric,
        {{ known_number('tests.value') }} as value,
        tests.n::bigint as n,
        tests.n_compared::bigint as n_compared,
        definitions.test,
        {{ known_number('tests.statistic') }} as statistic,
        {{ known_number('tests.degrees_of_freedom') }} as degrees_of_freedom,
        {{ known_number('tests.residual_degrees_of_freedom') }} as residual_degrees_of_freedom,
        {{ known_number('tests.p_value') }} as p_value,
        {{ known_number('tests.p_value_adjusted') }} as p_value_adjusted,
        p_value_adjusted < {{ var('significance_level') }} as is_significant,
        case
            when tests.untested_because <> '' then tests.untested_because
            when is_significant then definitions.verdict_if_significant
            else definitions.verdict_otherwise
        end as verdict
    from definitions
    -- One row per statement on either side; an area without data says nothing.
    inner join tests
        on definitions.area = tests.area and definitions.insight = tests.insight
)

select * from final
order by area, insight
