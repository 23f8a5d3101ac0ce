-- Treatments without a known date keep their revenue, in the quarter Unknown. A view, so that no
-- build pays for a pass over all treatments that is seldom asked for.
{{ config(materialized='view') }}

with treatments as (
    select * from {{ ref('fct_treatments') }}
),

final as (
    select
        {{ calendar_quarter('treatment_date') }} as calendar_quarter,
        count(distinct patient_id) as n_patients,
        count(*) as n_treatments,
        sum(revenue_amount)::decimal(38, 2) as total_revenue
    from treatments
    group by calendar_quarter
)

select * from final
order by calendar_quarter
