-- An event is accepted when it names an appointment, a moment and a known type. Who was there may be
-- unknown. Producers that give no event_id mean one event by one content. When and where a message
-- came in is no part of what it says: the same event delivered twice is a duplicate.
{{ config(
    materialized='incremental_by_file', key=['event_id'], newest_by='occurred_at',
    publishes=[{'key': ['appointment_id']}],
) }}

{% set area, feed = 'telehealth', 'appointment_events' %}
{% set date_order = feed_option(area, feed, 'date_order', var('date_order')) %}
{% set content = ['appointment_id', 'event_type', 'occurred_at', 'patient_id', 'provider_id']
    + ['details'] %}
{% set typed_columns = ['event_id'] + content + [
    'event_type_order', 'scheduled_at', 'reason', 'technical_issue_type',
    'reported_duration_minutes', 'device_type', 'repairs'] %}

{# What details hold of each type of event, under the keys that producers use. #}
{% set fields = {
    'scheduled_time': ['new_scheduled_time', 'new_time', 'scheduled_time', 'scheduled_at'],
    'reason_text': ['reason', 'cancellation_reason', 'reschedule_reason'],
    'issue_type': ['issue_type', 'technical_issue_type', 'issue'],
    'duration_minutes': ['duration_minutes', 'session_duration_minutes'],
    'device': ['device_type', 'device'],
} %}

with events as (
    select *, {{ parse_json_object('details') }} as details_object from {{ landed(area, feed) }}
),

fields as (
    select
        {% for field, keys in fields.items() %}
            {{ json_field('details_object', keys) }} as {{ field }},
        {% endfor %}
        *
    from events
),

parsed as (
    select
        fields as raw, fields.unreadable_text, fields.source_file,
        {{ parse_text('fields.event_id') }} as given_event_id,
        {{ parse_id('fields.appointment_id') }} as appointment_id,
        appointment_event_types.event_type, appointment_event_types.event_type_order,
        {{ parse_timestamp('fields.timestamp', date_order) }} as occurred_at,
        {{ parse_id('fields.patient_id') }} as patient_id,
        {{ parse_id('fields.provider_id') }} as provider_id,
        fields.details_object as details,
        {{ parse_timestamp('fields.scheduled_time', date_order) }} as scheduled_at,
        {{ parse_text('fields.reason_text') }} as reason,
        {{ parse_text('fields.issue_type') }} as technical_issue_type,
        {{ not_below_zero(parse_number('fields.duration_minutes', 2)) }}
            as reported_duration_minutes,
        -- A device that nobody foresaw is a device all the same.
        coalesce(device_types.device_type, {{ parse_text('fields.device') }}) as device_type,
        try_cast(fields.ingested_at as timestamp) as ingested_at, fields.stream_position
    from fields
    -- A spelling is unique in either seed.
    {{ known_by_spelling('fields.event_type', 'appointment_event_types') }}
    {{ known_by_spelling('fields.device', 'device_types') }}
),

judged as (
    select
        *,
        coalesce(given_event_id, md5(to_json([{{ content | join('::varchar, ') }}])::varchar))
            as event_id,
        {{ repairs([unread('details'), unread('scheduled_at', 'scheduled_time'),
            unread('reported_duration_minutes', 'duration_minutes')]) }} as repairs,
        {{ rejection(required(['appointment_id', ('timestamp', 'occurred_at')], 'unreadable')
            + required(['event_type'], 'unknown')) }} as rejection_reason
    from parsed
),

final as (
    select
        {{ typed_columns | join(', ') }}, ingested_at, stream_position,
        source_file, {{ record_hash(typed_columns) }} as record_hash,
        {{ record_hash(['event_id']) }} as key_hash, rejection_reason, false as is_duplicate,
        {{ rejected_record(['event_id', 'event_type', 'appointment_id', 'patient_id', 'provider_id',
            'timestamp', 'details', 'stream_position', 'unreadable_text']) }} as rejected_record
    from judged
)

select * from final
