-- How many waited or stayed longer than they should, held against the share that is allowed, not
-- against other departments: so it may well be that none is at risk. A department is at risk where
-- the whole interval is above the allowed share.
{{ config(materialized='view') }}

with stays as (
    select * from {{ ref('fct_patient_stays') }}
    where is_admission_credible
),

targets as (
    {{ department_targets() }}
),

measured as (
    select
        targets.*,
        case targets.measure
            when 'wait' then stays.wait_minutes
            when 'length of stay' then stays.length_of_stay_hours
        end as measured_value
    from stays
    -- One target per department and measure: a stay counts once for each of them.
    inner join targets on stays.department_key = targets.department_key
),

counted as (
    select
        * exclude (measured_value),
        count(*) as n_admissions,
        count(measured_value) as n_known,
        count(*) filter (measured_value > target) as n_beyond_target
    from measured
    group by all
),

final as (
    select
        department_key, hospital_id, department,
        measure, target, unit, allowed_rate,
        n_admissions, n_known, n_beyond_target,
        {{ rate_with_interval('n_beyond_target', 'n_known', 'beyond_target_rate') }},
        case
            when n_known < {{ var('minimum_stays_for_risk') }} then 'too few to tell'
            when beyond_target_rate_low > allowed_rate then 'at risk'
            when beyond_target_rate_high < allowed_rate then 'within the target'
            else 'not at risk beyond chance'
        end as verdict
    from counted
)

select * from final
order by hospital_id, department, measure
