-- A patient is accepted when it has an identifier. Where one is described twice, the last stands.
{{ config(
    materialized='incremental_by_file', key=['patient_id'], on_conflict='last',
    publishes=[{'key': ['patient_id']}],
) }}

{% set area, feed = 'telehealth', 'patients' %}
{% set date_order = feed_option(area, feed, 'date_order', var('date_order')) %}
{% set typed_columns = [
    'patient_id', 'age', 'age_group', 'gender', 'has_insurance', 'registration_date', 'repairs',
] %}

with patients as (
    select * from {{ landed(area, feed) }}
),

parsed as (
    select
        patients as raw,
        unreadable_text,
        source_file,
        {{ parse_id('patient_id') }} as patient_id,
        -- A fraction of a year has not been completed; nobody is older than var('maximum_age').
        list_filter(
            [floor({{ parse_number('patients.age', 4) }})::integer],
            lambda years : years between 0 and {{ var('maximum_age') }}
        )[1] as age,
        {{ parse_text('gender') }} as gender,
        {{ parse_boolean('patients.has_insurance') }} as has_insurance,
        {{ parse_date('patients.registration_date', date_order) }} as registration_date
    from patients
),

judged as (
    select
        *,
        {{ age_group('age') }} as age_group,
        {{ repairs([
            unread('age'),
            unread('has_insurance'),
            unread('registration_date'),
        ]) }} as repairs,
        {{ rejection(required(['patient_id'])) }} as rejection_reason
    from parsed
),

final as (
    select
        {{ typed_columns | join(',\n        ') }},
        source_file,
        {{ record_hash(typed_columns) }} as record_hash,
        {{ record_hash(['patient_id']) }} as key_hash,
        rejection_reason,
        false as is_duplicate,
        {{ rejected_record([
            'patient_id', 'age', 'gender', 'has_insurance', 'registration_date', 'unreadable_text',
        ]) }} as rejected_record
    from judged
)

select * from final
