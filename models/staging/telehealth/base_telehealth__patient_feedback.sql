-- An answer is accepted when it names itself, its appointment, patient and provider and its day, and
-- rates provider and visit. Whatever it rates, it rates on the scale, 1 to 5 unless feeds.csv says otherwise.
{{ config(
    materialized='incremental_by_file', key=['feedback_id'], newest_by='recorded_at',
    publishes=[{'key': ['patient_id']}],
) }}

{% set options = feed_options('telehealth', 'patient_feedback') %}

with feedback as (
    select * from {{ landed('telehealth', 'patient_feedback') }}
),

parsed as (
    select
        feedback as raw,
        source_file,
        {{ parse_id('feedback_id') }} as feedback_id,
        {{ parse_id('appointment_id') }} as appointment_id,
        {{ parse_id('patient_id') }} as patient_id,
        {{ parse_id('provider_id') }} as provider_id,
        {{ parse_date('feedback_date', options.date_order, options) }} as feedback_date,
        {{ parse_number('feedback.provider_rating', 4, options.decimal_mark) }} as provider_rating,
        {{ parse_number('feedback.ease_of_use_rating', 4, options.decimal_mark) }} as ease_of_use_rating,
        {{ parse_number('feedback.audio_quality_rating', 4, options.decimal_mark) }} as audio_quality_rating,
        {{ parse_number('feedback.video_quality_rating', 4, options.decimal_mark) }} as video_quality_rating,
        {{ parse_number('feedback.overall_satisfaction', 4, options.decimal_mark) }} as overall_satisfaction,
        {{ parse_boolean('would_recommend') }} as is_recommended,
        {{ parse_text('comments') }} as comment_text,
        {{ parse_timestamp('feedback.timestamp', options.date_order, options) }} as recorded_at
    from feedback
),

validated as (
    select
        *,
        {% call repairs() %}
        {{ unread('ease_of_use_rating') }},
        {{ unread('audio_quality_rating') }},
        {{ unread('video_quality_rating') }},
        {{ unread('is_recommended', 'would_recommend') }},
        {{ other_settings(options, 'date', 'feedback_date') }},
        {{ other_settings(options, 'timestamp', 'recorded_at timestamp') }}
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'feedback_id', 'appointment_id', 'patient_id', 'provider_id') }}
            {{ required('unreadable', 'feedback_date', 'provider_rating', 'overall_satisfaction', 'recorded_at timestamp') }}
            {{ beyond_scale('provider_rating', options) }}
            {{ beyond_scale('ease_of_use_rating', options) }}
            {{ beyond_scale('audio_quality_rating', options) }}
            {{ beyond_scale('video_quality_rating', options) }}
            {{ beyond_scale('overall_satisfaction', options) }}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw), {{ envelope() }} from validated
)

select * from final
