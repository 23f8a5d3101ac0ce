-- Sums and counts that can be added up over any group of patients.
{{ config(materialized='view') }}

with patients as (
    {{ area_members('telehealth', 'patient') }}
),

appointments as (
    select * from {{ ref('fct_appointments') }}
),

answers as (
    select * from {{ ref('fct_appointment_feedback') }}
),

visits as (
    select
        patient_key,
        {{ appointment_counts() }},
        sum(wait_minutes) as wait_minutes,
        count(duration_minutes) filter (is_completed) as n_duration_known,
        sum(duration_minutes) filter (is_completed) as duration_minutes
    from appointments
    group by patient_key
),

feedback as (
    select
        patient_key,
        count(*) as n_feedback,
        sum(overall_satisfaction) as satisfaction
    from answers
    group by patient_key
),

final as (
    select
        patients.patient_key,
        patients.age_group,
        {{ zero_if_null('visits', ['n_appointments', 'n_completed', 'n_no_show']) }},
        {{ zero_if_null('visits', ['n_wait_known', 'n_duration_known']) }},
        {{ zero_if_null('feedback', ['n_feedback']) }},
        coalesce(visits.wait_minutes, 0) as wait_minutes_total,
        coalesce(visits.duration_minutes, 0) as duration_minutes_total,
        coalesce(feedback.satisfaction, 0) as satisfaction_total
    from patients
    -- patient_key is unique on the right, in each.
    left join visits on patients.patient_key = visits.patient_key
    left join feedback on patients.patient_key = feedback.patient_key
)

select * from final
