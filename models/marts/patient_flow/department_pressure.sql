-- Where and at which hour of the day flow breaks down: pressure is what arrives for each patient
-- who leaves.
{{ config(materialized='view') }}

with department_hours as (
    select * from {{ ref('department_hours') }}
),

departments as (
    select * from {{ ref('dim_department') }}
),

quantiles as (
    select * from {{ ref('hour_of_day_quantiles') }}
),

hours as (
    select
        department_key,
        hour(hour_at)::integer as hour_of_day,
        count(*) as n_hours,
        sum(n_admissions_timed)::bigint as n_admissions,
        sum(n_discharges_timed)::bigint as n_discharges,
        sum(census_timed)::bigint as census_hours,
        max(census_timed) as peak_census
    from department_hours
    group by all
),

final as (
    select
        hours.department_key, departments.hospital_id, departments.department, hours.hour_of_day,
        hours.n_hours, hours.n_admissions, hours.n_discharges,
        {{ round_half_up('hours.n_admissions / nullif(hours.n_discharges, 0)', 4) }} as pressure,
        {{ round_half_up('hours.census_hours / hours.n_hours', 4) }} as avg_census,
        hours.peak_census, coalesce(quantiles.n_wait_known, 0) as n_wait_known,
        {{ round_half_up('quantiles.wait_minutes_total / nullif(quantiles.n_wait_known, 0)', 2) }}
            as avg_wait_minutes,
        quantiles.median_wait_minutes, quantiles.ninetieth_percentile_wait_minutes,
        coalesce(quantiles.n_stay_known, 0) as n_stay_known,
        {{ round_half_up(
            'quantiles.length_of_stay_hours_total / nullif(quantiles.n_stay_known, 0)', 2
        ) }}
            as avg_length_of_stay_hours,
        quantiles.median_length_of_stay_hours, quantiles.ninetieth_percentile_length_of_stay_hours
    from hours
    -- A department, and hour of day, is unique on the right.
    inner join departments using (department_key)
    left join quantiles using (department_key, hour_of_day)
)

select * from final
order by hospital_id, department, hour_of_day
