-- Treatments without a known date keep their revenue, in a row whose month is null.
with treatments as (
    select
        provider_key,
        date_trunc('month', treatment_date)::date as month_start_date,
        count(*) as n_treatments,
        sum(revenue_amount)::decimal(18, 2) as total_revenue
    from {{ ref('fct_treatments') }}
    group by provider_key, month_start_date
),

doctors as (
    select * from {{ ref('dim_provider') }}
),

final as (
    select
        doctors.provider_id as doctor_id,
        doctors.provider_name as doctor_name,
        doctors.specialty,
        treatments.month_start_date,
        treatments.n_treatments,
        treatments.total_revenue
    from treatments
    -- provider_key is unique on the right.
    inner join doctors on treatments.provider_key = doctors.provider_key
)

select * from final
order by doctor_id, month_start_date
