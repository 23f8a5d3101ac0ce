-- Demand against the staffing plan. Needed are the patients there in an hour, on average, by the
-- number that one of the staff looks after; the peak is the shift's busiest hour of day.
{{ config(materialized='view') }}

with shifts as (
    select * from {{ ref('shift_demand') }}
),

departments as (
    select * from {{ ref('dim_department') }}
),

final as (
    select
        shifts.department_key,
        departments.hospital_id,
        departments.department,
        shifts.shift,
        shifts.planned_staff is not null as is_planned,
        shifts.n_hours,
        shifts.n_admissions,
        {{ round_half_up('shifts.n_admissions / nullif(shifts.n_arrival_hours, 0)', 4) }}
            as avg_admissions,
        {{ round_half_up('shifts.mean_census', 4) }} as avg_census,
        shifts.peak_hour_of_day,
        {{ round_half_up('shifts.highest_census', 4) }} as peak_census,
        shifts.planned_staff,
        {{ round_half_up('shifts.mean_census / shifts.patients_per_staff', 2) }} as needed_staff,
        {{ round_half_up('shifts.highest_census / shifts.patients_per_staff', 2) }}
            as needed_staff_at_peak,
        needed_staff - shifts.planned_staff as staff_gap,
        needed_staff_at_peak - shifts.planned_staff as staff_gap_at_peak,
        case
            when not is_planned then 'no plan'
            when staff_gap is null then 'demand unknown'
            when staff_gap > 0 then 'short of staff'
            when staff_gap_at_peak > 0 then 'short at the peak'
            else 'enough staff'
        end as verdict
    from shifts
    -- department_key is unique on the right.
    inner join departments on shifts.department_key = departments.department_key
)

select * from final
order by hospital_id, department, shift
