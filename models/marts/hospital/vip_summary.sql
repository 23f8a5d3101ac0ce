-- Who the VIPs are, and what the reference table of proposals offers them.
with patients as (
    select * from {{ ref('patient_vip') }}
),

proposals as (
    select * from {{ ref('vip_proposals') }}
),

banded as (
    select
        *,
        case
            when is_feedback_imputed then 'unknown'
            when {{ on_five_points('avg_feedback', 'hospital', 'patient_feedback') }} < 3 then 'low'
            else 'high'
        end as feedback_band
    from patients
),

segments as (
    select
        vip_status,
        feedback_band,
        count(*) as n_patients,
        sum(total_revenue)::decimal(38, 2) as total_revenue,
        sum(n_visits)::bigint as n_visits,
        case when feedback_band <> 'unknown' then {{ ordered_mean('avg_feedback') }} end as avg_feedback
    from banded
    group by vip_status, feedback_band
),

final as (
    select
        segments.vip_status,
        segments.feedback_band,
        segments.n_patients,
        segments.n_patients::double / sum(segments.n_patients) over () as patient_share,
        segments.total_revenue,
        (segments.total_revenue / nullif(sum(segments.total_revenue) over (), 0))::double
            as revenue_share,
        (segments.total_revenue / segments.n_patients)::decimal(18, 2) as avg_revenue_per_patient,
        segments.n_visits::double / segments.n_patients as avg_visits_per_patient,
        (segments.total_revenue / segments.n_visits)::decimal(18, 2) as avg_revenue_per_visit,
        {{ round_half_up('segments.avg_feedback', 2) }} as avg_feedback,
        proposals.offer,
        proposals.care_programme
    from segments
    -- The pair of status and band is unique on the right.
    left join proposals
        on
            segments.vip_status = proposals.vip_status
            and segments.feedback_band = proposals.feedback_band
)

select * from final
order by vip_status desc, feedback_band asc
