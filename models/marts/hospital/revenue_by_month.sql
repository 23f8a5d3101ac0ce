-- Treatments without a known date keep their revenue, in a row whose month is null.
with treatments as (
    select * from {{ ref('fct_treatments') }}
),

doctors as (
    select * from {{ ref('dim_provider') }}
    where assigning_authority = {{ assigning_authority('hospital', 'provider') }}
),

months as (
    select
        provider_id,
        date_trunc('month', treatment_date)::date as month_start_date,
        count(*) as n_treatments,
        sum(revenue_amount)::decimal(38, 2) as total_revenue
    from treatments
    group by provider_id, month_start_date
),

final as (
    select
        doctors.provider_id as doctor_id,
        doctors.provider_name as doctor_name,
        doctors.specialty,
        months.month_start_date,
        months.n_treatments,
        months.total_revenue
    from months
    -- An authority's identifiers are unique on the right.
    inner join doctors on months.provider_id = doctors.provider_id
)

select * from final
order by doctor_id, month_start_date
