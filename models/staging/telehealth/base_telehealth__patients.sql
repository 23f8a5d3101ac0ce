-- A patient is accepted when it has an identifier. Where one is described twice, the last wins.
{{ config(
    materialized='incremental_by_file', key=['patient_id'], on_conflict='last',
    publishes=[{'key': ['patient_id']}],
) }}

{% set options = feed_options('telehealth', 'patients') %}

with patients as (
    select * from {{ landed('telehealth', 'patients') }}
),

parsed as (
    select
        patients as raw,
        source_file,
        {{ parse_id('patient_id') }} as patient_id,
        -- A fraction of a year has not been completed; nobody is older than var('maximum_age').
        {{ up_to(var('maximum_age'), 'floor(' ~ parse_number('patients.age', 4) ~ ')') }}::integer
            as age,
        {{ parse_text('gender') }} as gender,
        {{ parse_boolean('patients.has_insurance') }} as has_insurance,
        {{ parse_date('patients.registration_date', options.date_order, options) }} as registration_date
    from patients
),

validated as (
    select
        *,
        {{ age_group('age') }} as age_group,
        {% call repairs() %}
        {{ unread('age') }},
        {{ unread('has_insurance') }},
        {{ unread('registration_date') }},
        {{ other_settings(options, 'date', 'registration_date') }}
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'patient_id') }}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw), {{ envelope() }} from validated
)

select * from final
