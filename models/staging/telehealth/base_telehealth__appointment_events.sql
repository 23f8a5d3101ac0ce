-- An event is accepted when it names an appointment, a moment and a known type. Who was there may be
-- unknown. Producers that give no event_id mean one event by one content. When and where a message
-- came in is no part of what it says: the same event delivered twice is a duplicate.
{{ config(
    materialized='incremental_by_file', key=['event_id'], newest_by='occurred_at',
    publishes=[{'key': ['appointment_id']}],
) }}

{% set options = feed_options('telehealth', 'appointment_events') %}

with events as (
    select * from {{ landed('telehealth', 'appointment_events') }}
),

detailed as (
    select
        *,
        events as raw,
        {{ parse_json_object('details') }} as details_object,
        {{ event_details('details_object') }}
    from events
),

parsed as (
    select
        detailed.raw, detailed as fields, detailed.source_file, detailed.stream_position,
        try_cast(detailed.ingested_at as timestamp) as ingested_at,
        {{ parse_text('detailed.event_id') }} as given_event_id,
        {{ parse_id('detailed.appointment_id') }} as appointment_id,
        appointment_event_types.event_type, event_type_order,
        {{ parse_timestamp('detailed.timestamp', options.date_order, options) }} as occurred_at,
        {{ parse_id('detailed.patient_id') }} as patient_id, {{ parse_id('detailed.provider_id') }} as provider_id,
        details_object as details,
        {{ parse_timestamp('detailed.scheduled_time', options.date_order, options) }} as scheduled_at,
        {{ parse_text('detailed.reason_text') }} as reason,
        {{ parse_text('detailed.issue_type') }} as technical_issue_type,
        {{ up_to(var('maximum_duration_minutes'), parse_number('detailed.duration_minutes', 2)) }} as reported_duration_minutes,
        -- A device that nobody foresaw is a device all the same.
        coalesce(device_types.device_type, {{ spelled('detailed.device', 'device_types', options) }}) as device_type
    from detailed
    -- A spelling is unique in either seed.
    {{ known_by_spelling('detailed.event_type', 'appointment_event_types', options) }}
    {{ known_by_spelling('detailed.device', 'device_types', options) }}
),

validated as (
    select
        *,
        coalesce(given_event_id, md5(to_json([
            appointment_id::varchar, event_type::varchar, occurred_at::varchar, patient_id::varchar,
            provider_id::varchar, details
        ])::varchar)) as event_id,
        {% call repairs() %}
        {{ unread('patient_id') }}, {{ unread('provider_id') }}, {{ unread('details') }},
        {{ unread('scheduled_at', 'scheduled_time', 'fields') }}, {{ other_settings(options, 'timestamp', 'occurred_at timestamp') }},
        {{ unread('reported_duration_minutes', 'duration_minutes', 'fields') }}
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'appointment_id', 'occurred_at timestamp') }}
            {{ required('unknown', 'event_type') }}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw, fields, given_event_id), {{ envelope(unhashed=['fields']) }} from validated
)

select * from final
