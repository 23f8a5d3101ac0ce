-- The headline feedback is the lab's: the mean, over a doctor's treatments, of the patient's mean
-- score, known values only. A doctor without treatments ranks last with no revenue.
with doctors as (
    {{ area_members('hospital', 'provider') }}
),

care as (
    select * from {{ ref('patient_provider_totals') }}
),

feedback as (
    select * from {{ ref('doctor_feedback_statistics') }}
),

doctor_care as (
    select
        provider_key,
        sum(revenue_amount)::decimal(38, 2) as revenue_amount,
        sum(n_treatments)::bigint as n_treatments,
        sum(n_room_costs_unknown)::bigint as n_room_costs_unknown,
        count(*) as n_patients
    from care
    group by provider_key
),

doctor_figures as (
    select
        doctors.provider_id as doctor_id,
        doctors.provider_name as doctor_name,
        doctors.specialty,
        coalesce(doctor_care.revenue_amount, 0)::decimal(38, 2) as total_revenue,
        {{ round_half_up('feedback.avg_feedback_score', 2) }} as avg_feedback,
        coalesce(doctor_care.n_treatments, 0) as n_treatments,
        coalesce(doctor_care.n_room_costs_unknown, 0) as n_room_costs_unknown,
        coalesce(doctor_care.n_patients, 0) as n_patients,
        coalesce(feedback.n_patients_with_feedback, 0) as n_patients_with_feedback,
        {{ round_half_up('feedback.feedback_standard_error', 4) }} as feedback_standard_error
    from doctors
    -- provider_key is unique on the right.
    left join doctor_care on doctors.provider_key = doctor_care.provider_key
    left join feedback on doctors.provider_key = feedback.provider_key
),

final as (
    select
        rank() over (order by total_revenue desc) as revenue_rank,
        *,
        (total_revenue / nullif(sum(total_revenue) over (), 0))::double as revenue_share
    from doctor_figures
)

select * from final
order by revenue_rank, doctor_id
