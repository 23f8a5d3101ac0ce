-- Best connection first; Unknown stands for visits whose connection nobody rated.
with visits as (
    select
        coalesce(connection_quality, 'Unknown') as connection_quality,
        connection_quality_score,
        count(*) as n_appointments,
        count(has_technical_issues) as n_technical_issues_known,
        count(*) filter (has_technical_issues) as n_with_technical_issues
    from {{ ref('fct_appointments') }}
    group by coalesce(connection_quality, 'Unknown'), connection_quality_score
),

feedback as (
    select
        coalesce(connection_quality, 'Unknown') as connection_quality,
        count(*) as n_feedback,
        avg(overall_satisfaction) as mean_satisfaction,
        stddev_samp(overall_satisfaction) / sqrt(count(*)) as satisfaction_error,
        avg(audio_quality_rating) as mean_audio_rating,
        avg(video_quality_rating) as mean_video_rating
    from {{ ref('fct_appointment_feedback') }}
    where has_appointment
    group by coalesce(connection_quality, 'Unknown')
),

final as (
    select
        visits.connection_quality,
        visits.connection_quality_score,
        visits.n_appointments,
        visits.n_technical_issues_known,
        visits.n_with_technical_issues,
        {{ rate_with_interval(
            'visits.n_with_technical_issues', 'visits.n_technical_issues_known',
            'technical_issue_rate'
        ) }},
        coalesce(feedback.n_feedback, 0) as n_feedback,
        {{ round_half_up('feedback.mean_satisfaction', 3) }} as avg_overall_satisfaction,
        {{ round_half_up('feedback.satisfaction_error', 4) }} as satisfaction_standard_error,
        {{ round_half_up('feedback.mean_audio_rating', 3) }} as avg_audio_quality_rating,
        {{ round_half_up('feedback.mean_video_rating', 3) }} as avg_video_quality_rating
    from visits
    -- A quality has one score, so each is in either side once.
    left join feedback on visits.connection_quality = feedback.connection_quality
)

select * from final
order by connection_quality_score desc nulls last
