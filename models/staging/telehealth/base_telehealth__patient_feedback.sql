-- An answer is accepted when it names itself, its appointment, patient and provider and its day, and
-- rates provider and visit. Whatever it rates, it rates from 1 to 5.
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
        {{ parse_date('feedback_date', options.date_order) }} as feedback_date,
        {{ parse_number('feedback.provider_rating', 4, options.decimal_mark) }} as provider_rating,
        {{ parse_number('feedback.ease_of_use_rating', 4, options.decimal_mark) }} as ease_of_use_rating,
        {{ parse_number('feedback.audio_quality_rating', 4, options.decimal_mark) }} as audio_quality_rating,
        {{ parse_number('feedback.video_quality_rating', 4, options.decimal_mark) }} as video_quality_rating,
        {{ parse_number('feedback.overall_satisfaction', 4, options.decimal_mark) }} as overall_satisfaction,
        {{ parse_boolean('would_recommend') }} as is_recommended,
        {{ parse_text('comments') }} as comment_text,
        {{ parse_timestamp('feedback.timestamp', options.date_order) }} as recorded_at
    from feedback
),

validated as (
    select
        *,
        {% call repairs() -%}
        {{ unread('ease_of_use_rating') }},
        {{ unread('audio_quality_rating') }},
        {{ unread('video_quality_rating') }},
        {{ unread('is_recommended', 'would_recommend') }}
        {%- endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            when feedback_id is null then 'missing_feedback_id'
            when appointment_id is null then 'missing_appointment_id'
            when patient_id is null then 'missing_patient_id'
            when provider_id is null then 'missing_provider_id'
            when feedback_date is null then {{ missing_or('unreadable', 'feedback_date') }}
            when provider_rating is null then {{ missing_or('unreadable', 'provider_rating') }}
            when overall_satisfaction is null then {{ missing_or('unreadable', 'overall_satisfaction') }}
            when recorded_at is null then {{ missing_or('unreadable', 'timestamp') }}
            when provider_rating not between 1 and 5 then 'provider_rating_outside_1_to_5'
            when ease_of_use_rating not between 1 and 5 then 'ease_of_use_rating_outside_1_to_5'
            when audio_quality_rating not between 1 and 5 then 'audio_quality_rating_outside_1_to_5'
            when video_quality_rating not between 1 and 5 then 'video_quality_rating_outside_1_to_5'
            when overall_satisfaction not between 1 and 5 then 'overall_satisfaction_outside_1_to_5'
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw), {{ envelope() }} from validated
)

select * from final
