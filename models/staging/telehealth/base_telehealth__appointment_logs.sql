-- An appointment is accepted when it names itself, a provider, a patient, a day, a time, a known
-- type and a known status. A completed visit has a wait and a duration; no other has to.
{{ config(
    materialized='incremental_by_file', key=['appointment_id'], newest_by='recorded_at',
    publishes=[{'key': ['record_hash']}]) }}

{% set area, feed = 'telehealth', 'appointment_logs' %}
{% set decimal_mark = feed_option(area, feed, 'decimal_mark', '.') %}
{% set date_order = feed_option(area, feed, 'date_order', var('date_order')) %}
{% set stamp = ('timestamp', 'recorded_at') %}
{% set typed_columns = [
    'appointment_id', 'provider_id', 'patient_id', 'appointment_date', 'scheduled_time',
    'appointment_type', 'appointment_status', 'is_completed', 'wait_minutes', 'duration_minutes',
    'device_type', 'operating_system', 'browser', 'connection_quality', 'connection_quality_score',
    'has_technical_issues', 'technical_issue_type', 'recorded_at', 'repairs',
] %}

with appointments as (
    select * from {{ landed(area, feed) }}
),

parsed as (
    select
        appointments as raw, appointments.unreadable_text, appointments.source_file,
        {{ parse_id('appointments.appointment_id') }} as appointment_id,
        {{ parse_id('appointments.provider_id') }} as provider_id,
        {{ parse_id('appointments.patient_id') }} as patient_id,
        {{ parse_date('appointments.appointment_date', date_order) }} as appointment_date,
        {{ parse_time('appointments.scheduled_time') }} as scheduled_time,
        appointment_types.appointment_type,
        appointment_statuses.appointment_status,
        appointment_statuses.is_successful as is_completed,
        {{ parse_number('appointments.wait_time_minutes', 2, decimal_mark) }} as wait_minutes,
        {{ parse_number('appointments.duration_minutes', 2, decimal_mark) }} as duration_minutes,
        -- A device that nobody foresaw is a device all the same.
        coalesce(device_types.device_type, {{ parse_text('appointments.device_type') }})
            as device_type,
        {{ parse_text('appointments.operating_system') }} as operating_system,
        {{ parse_text('appointments.browser') }} as browser,
        connection_qualities.connection_quality,
        connection_qualities.connection_quality_score,
        {{ parse_boolean('appointments.had_technical_issues') }} as has_technical_issues,
        {{ parse_text('appointments.technical_issue_type') }} as technical_issue_type,
        {{ parse_timestamp('appointments.timestamp', date_order) }} as recorded_at,
        try_cast(appointments.ingested_at as timestamp) as ingested_at, appointments.stream_position
    from appointments
    -- A spelling is unique in each of the four seeds.
    {{ known_by_spelling('appointments.appointment_type', 'appointment_types') }}
    {{ known_by_spelling('appointments.status', 'appointment_statuses') }}
    {{ known_by_spelling('appointments.device_type', 'device_types') }}
    {{ known_by_spelling('appointments.connection_quality', 'connection_qualities') }}
),

judged as (
    select
        *,
        {{ repairs([unread('wait_minutes', 'wait_time_minutes'), unread('duration_minutes'),
            unread('connection_quality'), unread('has_technical_issues', 'had_technical_issues'),
        ]) }} as repairs,
        {{ rejection(
            required(['appointment_id', 'provider_id', 'patient_id'])
            + required(['appointment_date', 'scheduled_time', stamp], 'unreadable')
            + required(['appointment_type', ('status', 'appointment_status')], 'unknown') + [
            ('wait_minutes < 0', 'negative_wait_time_minutes'),
            ('duration_minutes < 0', 'negative_duration_minutes'),
            ('is_completed and wait_minutes is null', 'completed_without_wait_time_minutes'),
            ('is_completed and duration_minutes is null', 'completed_without_duration_minutes'),
        ]) }} as rejection_reason
    from parsed
),

final as (
    select
        {{ typed_columns | join(',\n        ') }},
        ingested_at, stream_position, source_file, {{ record_hash(typed_columns) }} as record_hash,
        {{ record_hash(['appointment_id']) }} as key_hash, rejection_reason, false as is_duplicate,
        {{ rejected_record(['appointment_id', 'provider_id', 'patient_id', 'appointment_date',
            'scheduled_time', 'appointment_type', 'status', 'wait_time_minutes',
            'duration_minutes', 'device_type', 'operating_system', 'browser', 'connection_quality',
            'had_technical_issues', 'technical_issue_type', 'timestamp', 'stream_position',
            'unreadable_text']) }} as rejected_record
    from judged
)

select * from final
