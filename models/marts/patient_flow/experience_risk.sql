-- How many waited or stayed longer than they should, held against the share that is allowed, not
-- against other departments: so it may well be that none is at risk. A department is at risk where
-- the whole interval lies above the allowed share.
{{ config(materialized='view') }}

with targets as (
    {{ department_targets() }}
),

observed as (
    {% for name, measure in [
        ('wait', 'wait_minutes'), ('length of stay', 'length_of_stay_hours'),
    ] %}
    select
        department_key,
        '{{ name }}' as measure,
        {{ measure }} as value
    from {{ ref('fct_patient_stays') }}
    where is_admission_credible
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

counted as (
    select
        targets.*,
        count(*) as n_admissions,
        count(observed.value) as n_known,
        count(*) filter (observed.value > targets.target) as n_beyond_target
    from observed
    -- One target per department and measure.
    inner join targets
        on
            observed.department_key = targets.department_key
            and observed.measure = targets.measure
    group by all
),

final as (
    select
        counted.department_key,
        departments.hospital_id,
        departments.department,
        counted.measure,
        counted.target,
        counted.unit,
        counted.allowed_rate,
        counted.n_admissions,
        counted.n_known,
        counted.n_beyond_target,
        {{ rate_with_interval('n_beyond_target', 'n_known', 'beyond_target_rate') }},
        case
            when counted.n_known < {{ var('minimum_stays_for_risk') }} then 'too few to tell'
            when beyond_target_rate_low > counted.allowed_rate then 'at risk'
            when beyond_target_rate_high < counted.allowed_rate then 'within the target'
            else 'not at risk beyond chance'
        end as verdict
    from counted
    -- department_key is unique on the right.
    inner join {{ ref('dim_department') }} as departments
        on counted.department_key = departments.department_key
)

select * from final
order by hospital_id, department, measure
