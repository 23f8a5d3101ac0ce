-- Who the VIPs are, and what the reference table of proposals offers them.
with patients as (
    select * from {{ ref('vip_patients') }}
),

segments as (
    select
        vip_status,
        feedback_band,
        count(*) as n_patients,
        sum(total_revenue)::decimal(38, 2) as total_revenue,
        sum(n_visits)::bigint as n_visits,
        {{ ordered_mean('avg_feedback') }} as avg_feedback,
        any_value(offer) as offer,
        any_value(care_programme) as care_programme
    from patients
    group by vip_status, feedback_band
),

final as (
    select
        vip_status,
        feedback_band,
        n_patients,
        n_patients::double / sum(n_patients) over () as patient_share,
        total_revenue,
        (total_revenue / nullif(sum(total_revenue) over (), 0))::double as revenue_share,
        (total_revenue / n_patients)::decimal(18, 2) as avg_revenue_per_patient,
        n_visits::double / n_patients as avg_visits_per_patient,
        (total_revenue / n_visits)::decimal(18, 2) as avg_revenue_per_visit,
        {{ round_half_up('avg_feedback', 2) }} as avg_feedback,
        offer,
        care_programme
    from segments
)

select * from final
order by vip_status desc, feedback_band asc
