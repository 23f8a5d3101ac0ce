-- Where and at which hour of the day flow breaks down: pressure is what arrives for each patient
-- who leaves. Waits are of those who arrive in the hour, stays of those who leave in it.
{{ config(materialized='view') }}

with stays as (
    select * from {{ ref('fct_patient_stays') }}
    where is_admission_credible
),

hours as (
    select
        department_key,
        hour(hour_at)::integer as hour_of_day,
        count(*) as n_hours,
        sum(n_admissions)::bigint as n_admissions,
        sum(n_discharges)::bigint as n_discharges,
        sum(census)::bigint as census_hours,
        max(census) as peak_census,
        sum(n_wait_known)::bigint as n_wait_known,
        sum(wait_minutes_total) as wait_minutes_total,
        sum(n_stay_known)::bigint as n_stay_known,
        sum(length_of_stay_hours_total) as length_of_stay_hours_total
    from {{ ref('fct_department_hours') }}
    group by all
),

{% for name, moment, measure in [
    ('waits', 'admitted_at', 'wait_minutes'),
    ('lengths', 'discharged_at', 'length_of_stay_hours'),
] %}
{{ name }} as (
    select
        department_key,
        hour({{ moment }}) as hour_of_day,
        quantile_cont({{ measure }}::double, [0.5, 0.9]) as quantiles
    from stays
    where {{ measure }} is not null
    group by all
),
{% endfor %}

final as (
    select
        hours.department_key, departments.hospital_id, departments.department, hours.hour_of_day,
        hours.n_hours, hours.n_admissions, hours.n_discharges,
        {{ round_half_up('hours.n_admissions / nullif(hours.n_discharges, 0)', 4) }} as pressure,
        {{ round_half_up('hours.census_hours / hours.n_hours', 4) }} as avg_census,
        hours.peak_census,
        hours.n_wait_known,
        {{ round_half_up('hours.wait_minutes_total / nullif(hours.n_wait_known, 0)', 2) }}
            as avg_wait_minutes,
        {{ quantile_columns('waits.quantiles', 'wait_minutes') }},
        hours.n_stay_known,
        {{ round_half_up('hours.length_of_stay_hours_total / nullif(hours.n_stay_known, 0)', 2) }}
            as avg_length_of_stay_hours,
        {{ quantile_columns('lengths.quantiles', 'length_of_stay_hours') }}
    from hours
    -- One row per department, and hour of day, on each side.
    inner join {{ ref('dim_department') }} as departments using (department_key)
    left join waits using (department_key, hour_of_day)
    left join lengths using (department_key, hour_of_day)
)

select * from final
order by hospital_id, department, hour_of_day
