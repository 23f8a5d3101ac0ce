-- The platform's patients by age group; Unknown stands for those whose age nobody told.
with patients as (
    select
        patient_key,
        coalesce(age_group, 'Unknown') as age_group
    from {{ ref('dim_patient') }}
    where assigning_authority = {{ assigning_authority('telehealth', 'patient') }}
),

visits as (
    select
        patient_key,
        count(*) as n_appointments,
        count(*) filter (is_completed) as n_completed,
        count(*) filter (appointment_status = 'No-show') as n_no_show,
        count(wait_minutes) as n_wait_known,
        sum(wait_minutes) as wait_minutes,
        count(duration_minutes) filter (is_completed) as n_duration_known,
        sum(duration_minutes) filter (is_completed) as duration_minutes
    from {{ ref('fct_appointments') }}
    group by patient_key
),

feedback as (
    select
        patient_key,
        count(*) as n_feedback,
        sum(overall_satisfaction) as satisfaction
    from {{ ref('fct_appointment_feedback') }}
    group by patient_key
),

grouped as (
    select
        patients.age_group,
        count(*) as n_patients,
        count(visits.patient_key) as n_patients_with_appointments,
        sum(coalesce(visits.n_appointments, 0))::bigint as n_appointments,
        sum(coalesce(visits.n_completed, 0))::bigint as n_completed,
        sum(coalesce(visits.n_no_show, 0))::bigint as n_no_show,
        sum(coalesce(visits.n_wait_known, 0))::bigint as n_wait_known,
        sum(visits.wait_minutes) as wait_minutes,
        sum(coalesce(visits.n_duration_known, 0))::bigint as n_duration_known,
        sum(visits.duration_minutes) as duration_minutes,
        sum(coalesce(feedback.n_feedback, 0))::bigint as n_feedback,
        sum(feedback.satisfaction) as satisfaction
    from patients
    -- One row per patient on each side.
    left join visits on patients.patient_key = visits.patient_key
    left join feedback on patients.patient_key = feedback.patient_key
    group by patients.age_group
),

final as (
    select
        age_group,
        n_patients,
        n_patients_with_appointments,
        n_appointments,
        n_completed,
        {{ rate_with_interval('n_completed', 'n_appointments', 'completion_rate') }},
        n_no_show,
        {{ rate_with_interval('n_no_show', 'n_appointments', 'no_show_rate') }},
        n_wait_known,
        {{ round_half_up('wait_minutes / nullif(n_wait_known, 0)', 2) }} as avg_wait_minutes,
        n_duration_known,
        {{ round_half_up('duration_minutes / nullif(n_duration_known, 0)', 2) }}
            as avg_duration_minutes,
        n_feedback,
        {{ round_half_up('satisfaction / nullif(n_feedback, 0)', 3) }} as avg_overall_satisfaction
    from grouped
)

select * from final
order by age_group <> 'Under 18', age_group
