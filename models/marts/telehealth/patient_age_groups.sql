-- The platform's patients by age group; Unknown is the row of those whose age nobody knows.
with patients as (
    select * from {{ ref('patient_activity') }}
),

grouped as (
    select
        coalesce(age_group, 'Unknown') as age_group,
        count(*) as n_patients,
        count(*) filter (n_appointments > 0) as n_patients_with_appointments,
        sum(n_appointments)::bigint as n_appointments,
        sum(n_completed)::bigint as n_completed,
        sum(n_no_show)::bigint as n_no_show,
        sum(n_wait_known)::bigint as n_wait_known,
        sum(wait_minutes_total) as wait_minutes_total,
        sum(n_duration_known)::bigint as n_duration_known,
        sum(duration_minutes_total) as duration_minutes_total,
        sum(n_feedback)::bigint as n_feedback,
        sum(satisfaction_total) as satisfaction_total
    from patients
    group by coalesce(age_group, 'Unknown')
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
        {{ round_half_up('wait_minutes_total / nullif(n_wait_known, 0)', 2) }} as avg_wait_minutes,
        n_duration_known,
        {{ round_half_up('duration_minutes_total / nullif(n_duration_known, 0)', 2) }}
            as avg_duration_minutes,
        n_feedback,
        {{ round_half_up('satisfaction_total / nullif(n_feedback, 0)', 3) }}
            as avg_overall_satisfaction
    from grouped
)

select * from final
order by age_group <> 'Under 18', age_group
