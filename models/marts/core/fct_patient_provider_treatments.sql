-- The one pass over treatments that doctors, patients and their marts are summed from.
{{ follow_changes('patient_key', ['fct_treatments.patient_key']) }}

with treatments as (
    select * from {{ ref('fct_treatments') }}
    {{ only_changed() }}
),

final as (
    select
        patient_key,
        provider_key,
        any_value(patient_id) as patient_id,
        any_value(provider_id) as provider_id,
        count(*) as n_treatments,
        sum(revenue_amount)::decimal(18, 2) as revenue_amount
    from treatments
    group by patient_key, provider_key
)

select * from final
