-- Beds in use, hour by hour, against the beds that the department is known to have: those its
-- patients ever lay in. More patients than beds stand for patients without a bed, or two in one.
{{ config(materialized='view') }}

with hours as (
    select * from {{ ref('fct_department_hours') }}
),

departments as (
    select * from {{ ref('dim_department') }}
),

stays as (
    select * from {{ ref('fct_patient_stays') }}
),

bed_overlaps as (
    select * from {{ ref('bed_overlaps') }}
),

beds as (
    select
        department_key,
        count(distinct bed_id) as n_beds_known
    from stays
    group by department_key
),

shared_beds as (
    select
        department_key,
        date_trunc('hour', overlap_started_at) as hour_at,
        count(*) as n_bed_overlaps
    from bed_overlaps
    group by all
),

final as (
    select
        hours.department_key,
        departments.hospital_id,
        departments.department,
        hours.hour_at,
        hours.census,
        beds.n_beds_known,
        {{ round_half_up('hours.census / nullif(beds.n_beds_known, 0)', 4) }} as occupancy_rate,
        coalesce(shared_beds.n_bed_overlaps, 0) as n_bed_overlaps
    from hours
    -- A department, and hour, is unique on the right.
    inner join departments using (department_key)
    inner join beds using (department_key)
    left join shared_beds using (department_key, hour_at)
)

select * from final
order by hospital_id, department, hour_at
