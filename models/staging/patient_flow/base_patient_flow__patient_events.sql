-- An event is accepted when it names a patient, a hospital, a department and an admission time.
-- What names no event_id is identified by its content, so that delivered twice it counts once.
{{ config(
    materialized='incremental_by_file', key=['event_id'], newest_by='event_time',
    publishes=[{'key': ['patient_stay_key'], 'day': 'admitted_at'}],
) }}

{% set options = feed_options('patient_flow', 'patient_events') %}

with events as (
    select * from {{ landed('patient_flow', 'patient_events') }}
),

parsed as (
    select
        events as raw, events.source_file, events.stream_position,
        try_cast(events.ingested_at as timestamp) as ingested_at,
        {{ parse_id('events.event_id') }} as given_event_id,
        {{ parse_timestamp('events.event_time', options.date_order, options) }} as event_time,
        {{ parse_id('events.patient_id') }} as patient_id, {{ parse_id('events.hospital_id') }} as hospital_id,
        -- A department that nobody foresaw is a department all the same.
        coalesce(departments.department, {{ title_case(respelled('events.department', 'departments', options)) }}) as department,
        {{ parse_timestamp_or_day('events.admission_time', options.date_order, options) }} as admitted_at,
        {{ parse_timestamp_or_day('events.discharge_time', options.date_order, options) }} as discharged_at,
        coalesce(genders.gender, {{ title_case(respelled('events.gender', 'genders', options)) }}) as gender,
        open_discharge_dates.spelling is not null as is_discharge_open,
        {{ parse_number('events.age', 2, options.decimal_mark) }} as reported_age, {{ parse_id('events.bed_id') }} as bed_id,
        {{ up_to(var('maximum_wait_minutes'), parse_number('wait_time_minutes', 2, options.decimal_mark)) }}::decimal(9, 2) as wait_minutes
    from events
    -- A spelling is unique in each seed.
    {{ known_by_spelling('events.department', 'departments', options) }}
    {{ known_by_spelling('events.gender', 'genders', options) }}
    {{ known_open_discharge('events.discharge_time') }}
),

validated as (
    select
        *,
        -- A fraction of a year has not been completed.
        case when reported_age between 0 and {{ var('maximum_patient_flow_age') }} then floor(reported_age)::integer end as age,
        {% call repairs() %}
        {{ unread('age') }}, {{ unread('event_time') }}, {{ unread('discharged_at', 'discharge_time', unless='is_discharge_open') }},
        {{ unread('wait_minutes', 'wait_time_minutes') }}, {{ unread('given_event_id', 'event_id') }}, {{ unread('bed_id') }},
        {{ other_settings(options, 'timestamp', 'event_time', 'admitted_at admission_time', 'discharged_at discharge_time') }},
        {{ other_settings(options, 'number', 'wait_minutes wait_time_minutes') }},
        {{ unknown_time('admitted_at', 'admission_time') }}, {{ unknown_time('discharged_at', 'discharge_time') }}
        {% endcall %} as repairs,
        coalesce(given_event_id, {{ content_hash([
            'event_time', 'patient_id', 'hospital_id', 'department', 'admitted_at', 'discharged_at',
            'gender', 'age', 'reported_age', 'bed_id', 'wait_minutes', 'repairs',
        ]) }}) as event_id,
        {{ patient_stay_key() }} as patient_stay_key,
        -- What no clock can tell is taken as it is said.
        admitted_at <= coalesce(event_time, ingested_at, admitted_at)
        + to_minutes({{ var('admission_tolerance_minutes') }}) as is_credible,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'patient_id', 'hospital_id') }}
            when department is null then 'missing_department'
            {{ required('unreadable', 'admitted_at admission_time') }}
            when {{ is_after_ingestion('event_time') }} then 'event_time_after_ingestion'
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw, given_event_id, is_discharge_open), {{ envelope(unhashed=['is_credible', 'is_discharge_open']) }} from validated
)

select * from final
