-- An encounter is accepted when it names a patient and a day of admission, and its cost is not
-- negative. It has no identifier: equal records are one encounter. A referrer not named is unknown.
{{ config(
    materialized='incremental_by_file', identified_by=['patient_id', 'admission_date'],
    publishes=[{'key': ['patient_id']}],
) }}

{% set options = feed_options('growth', 'sg2_patient_flow') %}

with encounters as (
    select * from {{ landed('growth', 'sg2_patient_flow') }}
),

parsed as (
    select
        encounters as raw,
        source_file,
        {{ parse_id('patient_id') }} as patient_id,
        {{ provider_id_of('referral_provider') }} as provider_id,
        {{ parse_text('referral_provider') }} as provider_name,
        {{ known_or_own('service_lines', 'encounters.service_line', options) }} as service_line,
        {{ known_or_own('payers', 'encounters.payer', options) }} as payer,
        {{ parse_date('admission_date', options.date_order, options) }} as admission_date,
        {{ parse_date('discharge_date', options.date_order, options) }} as discharge_date,
        open_discharge_dates.spelling is not null as is_discharge_open,
        {{ up_to(var('maximum_stay_days'), parse_number('length_of_stay', 2, options.decimal_mark)) }}
            as reported_length_of_stay_days,
        {{ up_to(100, parse_number('satisfaction_score', 4, options.decimal_mark)) }} as satisfaction_score,
        {{ parse_amount('treatment_cost', options.decimal_mark) }} as treatment_cost_amount
    from encounters
    {{ known_provider('encounters.referral_provider') }}
    {{ known_by_spelling('encounters.service_line', 'service_lines', options) }}
    {{ known_by_spelling('encounters.payer', 'payers', options) }}
    {{ known_open_discharge('encounters.discharge_date') }}
),

validated as (
    select
        *,
        {% call repairs() %}
        {{ unread('discharge_date', unless='is_discharge_open') }},
        {{ unread('reported_length_of_stay_days', 'length_of_stay') }},
        {{ unread('satisfaction_score') }},
        {{ unread('treatment_cost_amount', 'treatment_cost') }},
        {{ other_settings(options, 'date', 'admission_date', 'discharge_date') }},
        {{ other_settings(options, 'amount', 'treatment_cost_amount treatment_cost') }},
        {{ other_settings(options, 'number', 'satisfaction_score') }},
        case
            when reported_length_of_stay_days <> discharge_date - admission_date
                then 'length_of_stay:differs_from_dates'
        end
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'patient_id', 'admission_date') }}
            when {{ is_refused_amount('treatment_cost_amount', 'raw.treatment_cost') }}
                then 'negative_treatment_cost'
            when {{ is_implausible('treatment_cost_amount', 'raw.treatment_cost', 'maximum_amount') }}
                then 'implausible_treatment_cost'
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw, is_discharge_open), {{ envelope() }} from validated
)

select * from final
