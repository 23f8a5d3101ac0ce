-- An appointment is accepted when it names itself, a provider, a patient, a day, a time, a type
-- and a known status. A completed visit has a wait and a duration, unless feeds.csv declares them unknown;
-- no other has to. One still ahead or going on is neither. An unforeseen type or device is one all the same.
{{ config(
    materialized='incremental_by_file', key=['appointment_id'], newest_by='recorded_at',
    publishes=[{'key': ['record_hash']}],
) }}

{% set options = feed_options('telehealth', 'appointment_logs') %}

with appointments as (
    select * from {{ landed('telehealth', 'appointment_logs') }}
),

parsed as (
    select
        appointments as raw, appointments.source_file, appointments.stream_position,
        try_cast(appointments.ingested_at as timestamp) as ingested_at,
        {{ parse_id('appointments.appointment_id') }} as appointment_id,
        {{ parse_id('appointments.provider_id') }} as provider_id, {{ parse_id('appointments.patient_id') }} as patient_id,
        {{ parse_date('appointments.appointment_date', options.date_order, options) }} as appointment_date,
        {{ parse_time('appointments.scheduled_time') }} as scheduled_time,
        coalesce(appointment_types.appointment_type, {{ spelled('appointments.appointment_type', 'appointment_types', options) }}) as appointment_type,
        appointment_status, case when is_ended then is_successful end as is_completed,
        {{ parse_number('appointments.wait_time_minutes', 2, options.decimal_mark) }} as wait_minutes,
        {{ parse_number('appointments.duration_minutes', 2, options.decimal_mark) }} as duration_minutes,
        coalesce(device_types.device_type, {{ spelled('appointments.device_type', 'device_types', options) }}) as device_type,
        {{ parse_text('appointments.operating_system') }} as operating_system, {{ parse_text('appointments.browser') }} as browser,
        connection_qualities.connection_quality, connection_quality_score,
        {{ parse_boolean('appointments.had_technical_issues') }} as has_technical_issues,
        {{ parse_text('appointments.technical_issue_type') }} as technical_issue_type,
        {{ parse_timestamp('appointments.timestamp', options.date_order, options) }} as recorded_at
    from appointments
    -- A spelling is unique in each of the four seeds.
    {{ known_by_spelling('appointments.appointment_type', 'appointment_types', options) }}
    {{ known_by_spelling('appointments.status', 'appointment_statuses', options) }}
    {{ known_by_spelling('appointments.device_type', 'device_types', options) }}
    {{ known_by_spelling('appointments.connection_quality', 'connection_qualities', options) }}
),

validated as (
    select
        *,
        {% call repairs() %}
        {{ unread('wait_minutes', 'wait_time_minutes') }}, {{ unread('duration_minutes') }},
        {{ unread('connection_quality') }}, {{ unread('has_technical_issues', 'had_technical_issues') }},
        {{ other_settings(options, 'date', 'appointment_date') }}, {{ other_settings(options, 'timestamp', 'recorded_at timestamp') }},
        {{ other_settings(options, 'number', 'wait_minutes wait_time_minutes', 'duration_minutes') }}
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'appointment_id', 'provider_id', 'patient_id', 'appointment_date', 'scheduled_time', 'recorded_at timestamp') }}
            {{ required('unknown', 'appointment_type') }}
            {{ known_word('appointment_status', 'status') }}
            when appointment_status = 'Entered in error' then 'entered_in_error'
            {%- for minutes, column in [('wait_minutes', 'wait_time'), ('duration_minutes', 'duration')] %}
            when {{ minutes }} < 0 then 'negative_{{ column }}_minutes'
            when {{ is_implausible(minutes, 'raw.' ~ column ~ '_minutes', 'maximum_' ~ minutes) }} then 'implausible_{{ column }}_minutes'
            when is_completed and {{ minutes }} is null and {{ not is_declared_unknown(options, column ~ '_minutes') }}
                then 'completed_without_{{ column }}_minutes'
            {%- endfor %}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw), {{ envelope() }} from validated
)

select * from final
