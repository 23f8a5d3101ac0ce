-- A treatment is accepted when it names itself, a patient and a doctor, and costs no less than
-- nothing. A missing or unreadable cost is taken as zero and flagged: the hospital's own rule.
{{ config(
    materialized='incremental_by_file', key=['treatment_id'], publishes=[{'key': ['patient_id']}],
) }}

{% set area, feed = 'hospital', 'patients_data_with_doctor' %}
{% set decimal_mark = feed_option(area, feed, 'decimal_mark', '.') %}
{% set date_order = feed_option(area, feed, 'date_order', var('date_order')) %}

with treatments as (
    select * from {{ landed(area, feed) }}
),

parsed as (
    select
        treatments as raw,
        unreadable_text,
        source_file,
        {{ parse_id('treatment_id') }} as treatment_id,
        {{ parse_id('patient_id') }} as patient_id,
        {{ parse_id('doctor_id') }} as doctor_id,
        trim(treatment_type) as treatment_type,
        {{ parse_amount('treatment_cost', decimal_mark) }} as known_treatment_cost,
        {{ parse_amount('room_cost', decimal_mark) }} as known_room_cost,
        {{ parse_date('treatment_date', date_order) }} as treatment_date
    from treatments
),

judged as (
    select
        *,
        coalesce(known_treatment_cost, 0)::decimal(18, 2) as treatment_cost_amount,
        coalesce(known_room_cost, 0)::decimal(18, 2) as room_cost_amount,
        {{ repairs([
            ('known_treatment_cost is null', 'treatment_cost:imputed_zero'),
            ('known_room_cost is null', 'room_cost:imputed_zero'),
            ('treatment_date is null and not ' ~ is_blank('raw.treatment_date'),
             'treatment_date:set_null'),
        ]) }} as repairs,
        {{ rejection([
            ('treatment_id is null', 'missing_treatment_id'),
            ('patient_id is null', 'missing_patient_id'),
            ('doctor_id is null', 'missing_doctor_id'),
            (is_refused_amount('known_treatment_cost', 'raw.treatment_cost'),
             'negative_treatment_cost'),
            (is_refused_amount('known_room_cost', 'raw.room_cost'), 'negative_room_cost'),
        ] + ([
            ('known_treatment_cost is null', 'missing_treatment_cost'),
            ('known_room_cost is null', 'missing_room_cost'),
        ] if var('missing_cost_policy') == 'reject' else [])) }} as rejection_reason
    from parsed
),

final as (
    select
        treatment_id,
        patient_id,
        doctor_id,
        treatment_type,
        treatment_cost_amount,
        room_cost_amount,
        treatment_date,
        source_file,
        {{ record_hash([
            'treatment_id', 'patient_id', 'doctor_id', 'treatment_type', 'treatment_cost_amount',
            'room_cost_amount', 'treatment_date', 'repairs',
        ]) }} as record_hash,
        {{ record_hash(['treatment_id']) }} as key_hash,
        repairs,
        rejection_reason,
        false as is_duplicate,
        {{ rejected_record([
            'treatment_id', 'patient_id', 'doctor_id', 'treatment_type', 'treatment_cost',
            'room_cost', 'treatment_date', 'unreadable_text',
        ]) }} as rejected_record
    from judged
)

select * from final
