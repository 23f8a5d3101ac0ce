-- A claim is accepted when it names a patient, a day, a status that is known and an amount that is
-- not negative. What names no claim_id is identified by its content. Payments that contradict the
-- claim are kept and flagged; the fact does not count them.
{{ config(
    materialized='incremental_by_file', key=['claim_id'], publishes=[{'key': ['patient_id']}],
) }}

{% set options = feed_options('growth', 'ehr_claims') %}

with claims as (
    select * from {{ landed('growth', 'ehr_claims') }}
),

parsed as (
    select
        claims as raw,
        source_file,
        {{ parse_id('claims.claim_id') }} as given_claim_id,
        {{ parse_id('patient_id') }} as patient_id,
        {{ provider_id_of('claims.provider_name') }} as provider_id,
        {{ parse_text('claims.provider_name') }} as provider_name,
        {{ parse_date('visit_date', options.date_order, options) }} as visit_date,
        {{ parse_id('diagnosis_code') }} as diagnosis_code,
        {{ parse_id('procedure_code') }} as procedure_code,
        {{ parse_amount('claim_amount', options.decimal_mark) }} as claim_amount,
        {{ parse_amount('claim_paid', options.decimal_mark) }} as reported_paid_amount,
        claim_statuses.claim_status
    from claims
    {{ known_provider('claims.provider_name') }}
    {{ known_by_spelling('claims.claim_status', 'claim_statuses', options) }}
),

validated as (
    select
        *,
        {% call repairs() %}
        {{ unread('given_claim_id', 'claim_id') }},
        {{ unread('diagnosis_code') }},
        {{ unread('procedure_code') }},
        {{ unread('reported_paid_amount', 'claim_paid') }},
        {{ other_settings(options, 'date', 'visit_date') }},
        {{ other_settings(options, 'amount', 'claim_amount', 'reported_paid_amount claim_paid') }},
        case when reported_paid_amount > claim_amount then 'claim_paid:exceeds_claim' end,
        case
            when reported_paid_amount > 0 and claim_status <> 'Paid' then 'claim_paid:not_paid_by_status'
        end
        {% endcall %} as repairs,
        coalesce(given_claim_id, {{ content_hash([
            'patient_id', 'provider_id', 'visit_date', 'diagnosis_code', 'procedure_code',
            'claim_amount', 'reported_paid_amount', 'claim_status', 'repairs',
        ]) }}) as claim_id,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'patient_id', 'visit_date', 'claim_amount') }}
            {{ known_word('claim_status', 'claim_status') }}
            {%- for amount, column in [('claim_amount', 'claim_amount'), ('reported_paid_amount', 'claim_paid')] %}
            when {{ is_refused_amount(amount, 'raw.' ~ column) }} then 'negative_{{ column }}'
            when {{ is_implausible(amount, 'raw.' ~ column, 'maximum_amount') }} then 'implausible_{{ column }}'
            {%- endfor %}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw, given_claim_id), {{ envelope() }} from validated
)

select * from final
