-- Personas by columns that did not make them, each with its test. A feature has none: it made them.
{{ config(meta={'publish': 'internal'}) }}

with people as (
    select * from {{ ref('persona_outside_values') }}
    where level is not null
),

tests as (
    select * from {{ ref('persona_difference_tests') }}
),

counted as (
    select
        person_type,
        column_name,
        level,
        persona_number,
        count(*) as n_people,
        sum(count(*)) over (partition by person_type, column_name, persona_number) as n_persona
    from people
    group by person_type, column_name, level, persona_number
),

final as (
    select
        counted.person_type,
        counted.column_name,
        counted.level,
        counted.persona_number,
        names.persona_name,
        {{ unless_few('counted.n_people', 'counted.n_people') }} as n_people,
        {{ unless_few('counted.n_people::double / counted.n_persona', 'counted.n_people') }}
            as share,
        tests.test,
        tests.n::bigint as n,
        {{ known_number('tests.statistic') }} as statistic,
        {{ known_number('tests.p_value') }} as p_value,
        {{ known_number('tests.p_value_adjusted') }} as p_value_adjusted,
        {{ known_number('tests.effect') }} as effect,
        case
            when {{ known_number('tests.p_value_adjusted') }} is null then 'too few to tell'
            when tests.p_value_adjusted < {{ var('significance_level') }} then 'personas differ'
            else 'personas do not differ'
        end as verdict
    from counted
    -- One row per person type and column in tests, one per persona in names.
    inner join tests
        on counted.person_type = tests.person_type and counted.column_name = tests.column_name
    inner join {{ ref('persona_names') }} as names
        on counted.person_type = names.person_type and counted.persona_number = names.persona_number
)

select * from final
order by person_type, column_name, level, persona_number
