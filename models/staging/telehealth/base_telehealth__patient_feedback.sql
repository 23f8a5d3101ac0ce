-- An answer is accepted when it names itself, its appointment, patient and provider and its day, and
-- rates provider and visit. Whatever it rates, it rates from 1 to 5.
{{ config(
    materialized='incremental_by_file', key=['feedback_id'], newest_by='recorded_at',
    publishes=[{'key': ['patient_id']}],
) }}

{% set area, feed = 'telehealth', 'patient_feedback' %}
{% set decimal_mark = feed_option(area, feed, 'decimal_mark', '.') %}
{% set date_order = feed_option(area, feed, 'date_order', var('date_order')) %}
{% set ratings = [
    'provider_rating', 'ease_of_use_rating', 'audio_quality_rating', 'video_quality_rating',
    'overall_satisfaction',
] %}
{% set typed_columns = [
    'feedback_id', 'appointment_id', 'patient_id', 'provider_id', 'feedback_date',
] + ratings + ['is_recommended', 'comment_text', 'recorded_at', 'repairs'] %}
{% set outside = [] %}
{% for rating in ratings %}
    {% do outside.append((rating ~ ' not between 1 and 5', rating ~ '_outside_1_to_5')) %}
{% endfor %}

with feedback as (
    select * from {{ landed(area, feed) }}
),

parsed as (
    select
        feedback as raw,
        unreadable_text,
        source_file,
        {{ parse_id('feedback_id') }} as feedback_id,
        {{ parse_id('appointment_id') }} as appointment_id,
        {{ parse_id('patient_id') }} as patient_id,
        {{ parse_id('provider_id') }} as provider_id,
        {{ parse_date('feedback_date', date_order) }} as feedback_date,
        {% for rating in ratings %}
            {{ parse_number('feedback.' ~ rating, 4, decimal_mark) }} as {{ rating }},
        {% endfor %}
        {{ parse_boolean('would_recommend') }} as is_recommended,
        {{ parse_text('comments') }} as comment_text,
        {{ parse_timestamp('feedback.timestamp', date_order) }} as recorded_at
    from feedback
),

judged as (
    select
        *,
        {{ repairs([
            unread('ease_of_use_rating'),
            unread('audio_quality_rating'),
            unread('video_quality_rating'),
            unread('is_recommended', 'would_recommend'),
        ]) }} as repairs,
        {{ rejection(
            required(['feedback_id', 'appointment_id', 'patient_id', 'provider_id'])
            + required(['feedback_date', 'provider_rating', 'overall_satisfaction'], 'unreadable')
            + required([('timestamp', 'recorded_at')], 'unreadable') + outside
        ) }} as rejection_reason
    from parsed
),

final as (
    select
        {{ typed_columns | join(',\n        ') }},
        source_file,
        {{ record_hash(typed_columns) }} as record_hash,
        {{ record_hash(['feedback_id']) }} as key_hash,
        rejection_reason,
        false as is_duplicate,
        {{ rejected_record([
            'feedback_id', 'appointment_id', 'patient_id', 'provider_id', 'feedback_date',
        ] + ratings + ['would_recommend', 'comments', 'timestamp', 'unreadable_text']) }}
            as rejected_record
    from judged
)

select * from final
