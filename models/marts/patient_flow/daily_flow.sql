-- Days without events are days too: they have a row of zeros. A day counts in UTC.
{{ config(materialized='view') }}

with hours as (
    select * from {{ ref('fct_department_hours') }}
),

departments as (
    select * from {{ ref('dim_department') }}
),

days as (
    select
        department_key,
        hour_at::date as flow_date,
        count(*) as n_hours,
        sum(n_admissions)::bigint as n_admissions,
        sum(n_discharges)::bigint as n_discharges,
        max(census) as peak_census,
        arg_max(census, hour_at) as closing_census,
        sum(n_wait_known)::bigint as n_wait_known,
        sum(wait_minutes_total) as wait_minutes_total,
        sum(n_stay_known)::bigint as n_stay_known,
        sum(length_of_stay_hours_total) as length_of_stay_hours_total
    from hours
    group by all
),

final as (
    select
        days.department_key,
        departments.hospital_id,
        departments.department,
        days.flow_date,
        days.n_hours,
        days.n_admissions,
        days.n_discharges,
        days.n_admissions - days.n_discharges as net_flow,
        days.peak_census,
        days.closing_census,
        days.n_wait_known,
        {{ round_half_up('days.wait_minutes_total / nullif(days.n_wait_known, 0)', 2) }}
            as avg_wait_minutes,
        days.n_stay_known,
        {{ round_half_up('days.length_of_stay_hours_total / nullif(days.n_stay_known, 0)', 2) }}
            as avg_length_of_stay_hours
    from days
    -- department_key is unique on the right.
    inner join departments on days.department_key = departments.department_key
)

select * from final
order by hospital_id, department, flow_date
