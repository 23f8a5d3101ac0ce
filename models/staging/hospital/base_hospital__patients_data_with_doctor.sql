-- A treatment is accepted when it names itself, a patient and a doctor, and its costs are not
-- negative. A missing or unreadable cost is taken as zero and flagged: the hospital's own rule.
{{ config(
    materialized='incremental_by_file', key=['treatment_id'], publishes=[{'key': ['patient_id']}],
) }}

{% set options = feed_options('hospital', 'patients_data_with_doctor') %}

with treatments as (
    select * from {{ landed('hospital', 'patients_data_with_doctor') }}
),

parsed as (
    select
        treatments as raw,
        source_file,
        {{ parse_id('treatment_id') }} as treatment_id,
        {{ parse_id('patient_id') }} as patient_id,
        {{ parse_id('doctor_id') }} as doctor_id,
        {{ parse_text('treatments.treatment_type') }} as treatment_type,
        {{ parse_amount('treatment_cost', options.decimal_mark) }} as known_treatment_cost,
        {{ parse_amount('room_cost', options.decimal_mark) }} as known_room_cost,
        {{ parse_date('treatment_date', options.date_order, options) }} as treatment_date
    from treatments
),

validated as (
    select
        *,
        coalesce(known_treatment_cost, 0)::decimal(18, 2) as treatment_cost_amount,
        coalesce(known_room_cost, 0)::decimal(18, 2) as room_cost_amount,
        {% call repairs() %}
        {{ taken_as_zero('known_treatment_cost', 'treatment_cost') }},
        {{ taken_as_zero('known_room_cost', 'room_cost') }},
        {{ unread('treatment_date') }},
        {{ other_settings(options, 'amount', 'known_treatment_cost treatment_cost', 'known_room_cost room_cost') }},
        {{ other_settings(options, 'date', 'treatment_date') }}
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'treatment_id', 'patient_id', 'doctor_id') }}
            when {{ is_refused_amount('known_treatment_cost', 'raw.treatment_cost') }}
                then 'negative_treatment_cost'
            when {{ is_refused_amount('known_room_cost', 'raw.room_cost') }} then 'negative_room_cost'
            {%- for column in ['treatment_cost', 'room_cost'] %}
            when {{ is_implausible('known_' ~ column, 'raw.' ~ column, 'maximum_amount') }}
                then 'implausible_{{ column }}'
            {%- endfor %}
            {%- if var('missing_cost_policy') == 'reject' %}
            when known_treatment_cost is null then 'missing_treatment_cost'
            -- A hospital that does not bill rooms delivers no such column: nothing is missing there.
            when known_room_cost is null
                and {{ is_in_file('hospital', 'patients_data_with_doctor', 'room_cost') }}
                then 'missing_room_cost'
            {%- endif %}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw, known_treatment_cost, known_room_cost), {{ envelope() }} from validated
)

select * from final
