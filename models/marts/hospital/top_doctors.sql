-- What to do about the doctors who earn most, and how far the feedback behind it can be trusted.
with ranking as (
    select
        *,
        avg(total_revenue) over () as mean_revenue
    from {{ ref('doctor_revenue_ranking') }}
    qualify row_number() over (order by revenue_rank, doctor_id) <= {{ var('top_n') }}
),

actions as (
    select * from {{ ref('feedback_actions') }}
),

doctors as (
    select * from {{ ref('dim_provider') }}
    where assigning_authority = {{ assigning_authority('hospital', 'provider') }}
),

tests as (
    select * from {{ ref('doctor_feedback_tests') }}
),

final as (
    select
        ranking.revenue_rank,
        ranking.doctor_id,
        ranking.doctor_name,
        ranking.specialty,
        ranking.total_revenue,
        ranking.avg_feedback,
        ranking.n_patients_with_feedback,
        ranking.feedback_standard_error,
        if(ranking.total_revenue >= ranking.mean_revenue, 'high', 'low') as revenue_position,
        actions.feedback_position,
        actions.action,
        'Welch t-test, doctor''s patients against all others' as evidence_test,
        tests.p_value,
        tests.p_value_adjusted,
        case
            when tests.p_value is null then 'too few patients to tell'
            when tests.p_value_adjusted >= {{ var('significance_level') }}
                then 'no significant difference'
            when tests.mean_difference > 0
                then if(actions.feedback_position = 'low', 'low, yet ', '')
                    || 'significantly higher than others'
            else if(actions.feedback_position = 'high', 'high, yet ', '')
                || 'significantly lower than others'
        end as evidence
    from ranking
    -- A provider is unique on the right; as of a mean, one threshold holds.
    inner join doctors on ranking.doctor_id = doctors.provider_id
    left join tests on doctors.provider_key = tests.provider_key
    asof left join actions
        on coalesce({{ on_five_points('ranking.avg_feedback', 'hospital', 'patient_feedback') }}, 0)
            >= actions.minimum_avg_feedback
)

select * from final
order by revenue_rank, doctor_id
