-- What came and went in an hour of a department. Waits count where patients arrive, stays where
-- they leave: an hour, once reported, does not change when somebody leaves later. Sums are of
-- decimals, which no order of rows can change. A stay whose admission is not credible counts as
-- such and no more. What is known by its day alone is in the day's first hour, and counted apart.
{{ config(
    materialized='incremental_by_key', key=['department_key', 'hour_at'], day='hour_at',
    consumes=[
        'fct_patient_stays(department_key, admission_hour_at)',
        'fct_patient_stays(department_key, discharge_hour_at)',
    ],
    publishes=[{'key': ['department_key'], 'tracked': ['hospital_id', 'department']}],
) }}
{% set flows = [
    ('admissions', 'admission_hour_at', 'wait_minutes', 'is_admission_credible', 'is_admission_time_unknown'),
    ('discharges', 'discharge_hour_at', 'length_of_stay_hours',
     'is_stay_credible and not is_discharge_planned', 'is_discharge_time_unknown'),
] %}

with
{% for flow, hour_at, measure, condition, is_time_unknown in flows %}
{{ flow }}_changed as (
    select *, {{ hour_at }} as hour_at
    from {{ only_changed(ref('fct_patient_stays'), ['department_key', hour_at], hour_at) }}
),

{{ flow }} as (
    select
        department_key,
        hour_at,
        any_value(hospital_id) as hospital_id,
        any_value(department) as department,
        count(*) filter ({{ condition }}) as n_{{ flow }},
        count(*) filter ({{ condition }} and {{ is_time_unknown }}) as n_untimed,
        count(*) filter (is_stay_credible and {{ is_stay_of_days() }}) as n_of_days,
        count(*) filter (not is_admission_credible) as n_not_credible,
        count(*) filter (is_stay_credible) as n_of_known_end,
        count(*) filter (is_stay_credible and is_discharge_planned) as n_planned,
        count({{ measure }}) filter ({{ condition }}) as n_known,
        sum({{ measure }}) filter ({{ condition }}) as total,
        sum({{ measure }} * {{ measure }}) filter ({{ condition }}) as square_total,
        quantile_cont({{ measure }}::double, [0.5, 0.9]) filter ({{ condition }}) as quantiles
    from {{ flow }}_changed
    where hour_at is not null
    group by department_key, hour_at
),
{% endfor %}

final as (
    select
        department_key, hour_at,
        coalesce(admissions.hospital_id, discharges.hospital_id) as hospital_id,
        coalesce(admissions.department, discharges.department) as department,
        coalesce(n_admissions, 0) as n_admissions,
        coalesce(admissions.n_not_credible, 0) as n_admissions_not_credible,
        coalesce(n_admissions - admissions.n_of_known_end, 0) as n_end_unknown,
        coalesce(n_discharges, 0) as n_discharges,
        coalesce(admissions.n_untimed, 0) as n_admissions_untimed,
        coalesce(discharges.n_untimed, 0) as n_discharges_untimed,
        coalesce(admissions.n_of_days, 0) as n_stays_of_days_begun,
        coalesce(discharges.n_of_days, 0) as n_stays_of_days_ended,
        coalesce(discharges.n_planned, 0) as n_discharges_planned,
        {{ hour_columns('admissions', 'wait_minutes', 'wait') }},
        {{ hour_columns('discharges', 'length_of_stay_hours', 'stay') }}
    from admissions
    -- One row per department and hour on each side.
    full outer join discharges using (department_key, hour_at)
)

select * from final
