{#
    Staff planned for each hour of the day: department_key, hour_of_day, shift, planned_staff,
    patients_per_staff. A hospital's own plan comes before that of all hospitals. A shift may go
    past midnight.
#}
{% macro staffing_plans() -%}
    select
        departments.department_key,
        hours.hour_of_day,
        plan.shift,
        plan.planned_staff,
        plan.patients_per_staff
    from {{ ref('dim_department') }} as departments
    inner join {{ ref('staffing_plan') }} as plan
        on
            departments.department = plan.department
            and plan.hospital_id in (departments.hospital_id, 'all')
    cross join range(24) as hours (hour_of_day)
    where
        case
            when plan.first_hour <= plan.last_hour
                then hours.hour_of_day between plan.first_hour and plan.last_hour
            else hours.hour_of_day >= plan.first_hour or hours.hour_of_day <= plan.last_hour
        end
    qualify rank() over (
        partition by departments.department_key order by plan.hospital_id = 'all'
    ) = 1
{%- endmacro %}


{#
    Targets that hold for each department: department_key, hospital_id, department, measure, target,
    allowed_rate, unit. A department's own target goes before that of all.
#}
{% macro department_targets() -%}
    select
        departments.department_key,
        departments.hospital_id,
        departments.department,
        targets.measure,
        targets.target,
        targets.allowed_rate,
        targets.unit
    from {{ ref('dim_department') }} as departments
    inner join {{ ref('experience_targets') }} as targets
        on targets.department in (departments.department, 'all')
    qualify row_number() over (
        partition by departments.department_key, targets.measure
        order by targets.department = 'all'
    ) = 1
{%- endmacro %}
