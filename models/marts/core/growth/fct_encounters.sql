-- The length of stay is what the dates say; one that cannot be is none.
with encounters as (
    select
        *,
        coalesce(discharge_date < admission_date, false) as is_discharge_before_admission,
        coalesce(discharge_date > admission_date + {{ var('maximum_stay_days') }}, false)
            as is_stay_too_long
    from {{ ref('stg_growth__encounters') }}
),

final as (
    select
        {{ surrogate_key([
            'patient_id', 'provider_id', 'provider_name', 'service_line', 'payer', 'admission_date',
            'discharge_date', 'reported_length_of_stay_days', 'satisfaction_score',
            'treatment_cost_amount', "array_to_string(repairs, ' ')",
        ]) }} as encounter_key,
        {{ member_key('growth', 'patient', 'patient_id') }} as patient_key,
        {{ growth_provider_key() }} as provider_key,
        {{ surrogate_key(["coalesce(service_line, 'Unknown')"]) }} as service_line_key,
        {{ surrogate_key(["coalesce(payer, 'Unknown')"]) }} as payer_key,
        patient_id,
        provider_id,
        coalesce(service_line, 'Unknown') as service_line,
        coalesce(payer, 'Unknown') as payer,
        admission_date,
        discharge_date,
        case
            when not is_discharge_before_admission and not is_stay_too_long
                then (discharge_date - admission_date)::integer
        end as length_of_stay_days,
        reported_length_of_stay_days,
        list_contains(repairs, 'length_of_stay:differs_from_dates') as is_length_of_stay_disputed,
        is_discharge_before_admission,
        is_stay_too_long,
        satisfaction_score,
        treatment_cost_amount,
        repairs
    from encounters
)

select * from final
