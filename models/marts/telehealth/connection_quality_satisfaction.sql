-- Best connection first; Unknown is the row of visits whose connection nobody rated.
with appointments as (
    select * from {{ ref('fct_appointments') }}
),

answers as (
    select * from {{ ref('fct_appointment_feedback') }}
    where has_appointment
),

visits as (
    select
        coalesce(connection_quality, 'Unknown') as connection_quality,
        connection_quality_score,
        count(distinct patient_key) as n_patients,
        {{ appointment_counts() }}
    from appointments
    group by coalesce(connection_quality, 'Unknown'), connection_quality_score
),

feedback as (
    select
        coalesce(connection_quality, 'Unknown') as connection_quality,
        {{ satisfaction_columns() }},
        avg(audio_quality_rating) as mean_audio_rating,
        avg(video_quality_rating) as mean_video_rating
    from answers
    group by coalesce(connection_quality, 'Unknown')
),

final as (
    select
        visits.connection_quality,
        visits.connection_quality_score,
        visits.n_patients,
        visits.n_appointments,
        visits.n_technical_issues_known,
        visits.n_with_technical_issues,
        {{ rate_with_interval(
            'n_with_technical_issues', 'n_technical_issues_known', 'technical_issue_rate'
        ) }},
        coalesce(feedback.n_feedback, 0) as n_feedback,
        {{ round_half_up('feedback.mean_satisfaction', 3) }} as avg_overall_satisfaction,
        {{ round_half_up('feedback.satisfaction_error', 4) }} as satisfaction_standard_error,
        {{ round_half_up('feedback.mean_audio_rating', 3) }} as avg_audio_quality_rating,
        {{ round_half_up('feedback.mean_video_rating', 3) }} as avg_video_quality_rating
    from visits
    -- A quality has one score, so it is unique on both sides.
    left join feedback on visits.connection_quality = feedback.connection_quality
)

select * from final
order by connection_quality_score desc nulls last
