-- An event is accepted when it names a patient, a hospital, a department and an admission time.
-- What names no event_id is identified by its content, so that told twice it counts once.
{{ config(
    materialized='incremental_by_file', key=['event_id'], newest_by='event_time',
    publishes=[{'key': ['patient_stay_key'], 'day': 'admitted_at'}],
) }}

{% set area, feed = 'patient_flow', 'patient_events' %}
{% set decimal_mark = feed_option(area, feed, 'decimal_mark', '.') %}
{% set date_order = feed_option(area, feed, 'date_order', var('date_order')) %}
{% set admission = ('admission_time', 'admitted_at') %}
{% set content = [
    'event_time', 'patient_id', 'hospital_id', 'department', 'admitted_at', 'discharged_at',
    'gender', 'age', 'reported_age', 'bed_id', 'wait_minutes',
] %}
{% set typed_columns = ['event_id', 'patient_stay_key'] + content + ['repairs'] %}
{% set wait = not_below_zero(parse_number('wait_time_minutes', 2, decimal_mark)) %}

with events as (
    select * from {{ landed(area, feed) }}
),

parsed as (
    select
        events as raw, events.unreadable_text, events.source_file, events.stream_position,
        try_cast(events.ingested_at as timestamp) as ingested_at,
        {{ parse_id('events.event_id') }} as given_event_id,
        {{ parse_timestamp('events.event_time', date_order) }} as event_time,
        {{ parse_id('events.patient_id') }} as patient_id,
        {{ parse_id('events.hospital_id') }} as hospital_id,
        -- A department that nobody foresaw is a department all the same.
        coalesce(departments.department, {{ title_case('events.department') }}) as department,
        {{ parse_timestamp('events.admission_time', date_order) }} as admitted_at,
        {{ parse_timestamp('events.discharge_time', date_order) }} as discharged_at,
        coalesce(genders.gender, {{ title_case('events.gender') }}) as gender,
        {{ parse_number('events.age', 2, decimal_mark) }} as reported_age,
        {{ parse_id('events.bed_id') }} as bed_id,
        -- Nine digits are two decades: a longer wait is nothing to compute with.
        try_cast({{ wait }} as decimal(9, 2)) as wait_minutes
    from events
    -- A spelling is unique in both seeds.
    {{ known_by_spelling('events.department', 'departments') }}
    {{ known_by_spelling('events.gender', 'genders') }}
),

judged as (
    select
        *,
        -- A fraction of a year has not been completed.
        case
            when reported_age between 0 and {{ var('maximum_patient_flow_age') }}
                then floor(reported_age)::integer
        end as age,
        {{ repairs([unread('age'), unread('event_time'), unread('discharged_at', 'discharge_time'),
            unread('wait_minutes', 'wait_time_minutes')]) }} as repairs,
        coalesce(given_event_id, {{ content_hash(content + ['repairs']) }}) as event_id,
        {{ surrogate_key([
            assigning_authority('patient_flow', 'hospital'), 'hospital_id',
            assigning_authority('patient_flow', 'patient'), 'patient_id', 'admitted_at',
        ]) }} as patient_stay_key,
        -- What no clock can tell is taken as it is said.
        coalesce(
            admitted_at <= coalesce(event_time, ingested_at)
            + to_minutes({{ var('admission_tolerance_minutes') }}), true
        ) as is_credible,
        {{ rejection(required(['patient_id', 'hospital_id', 'department'])
            + required([admission], 'unreadable')) }} as rejection_reason
    from parsed
),

final as (
    select
        {{ typed_columns | join(',\n        ') }},
        is_credible, ingested_at, stream_position, source_file,
        {{ record_hash(typed_columns) }} as record_hash, {{ record_hash(['event_id']) }} as key_hash,
        rejection_reason, false as is_duplicate,
        {{ rejected_record([
            'event_id', 'event_time', 'patient_id', 'hospital_id', 'department', 'admission_time',
            'discharge_time', 'gender', 'age', 'bed_id', 'wait_time_minutes', 'stream_position',
            'unreadable_text',
        ]) }} as rejected_record
    from judged
)

select * from final
