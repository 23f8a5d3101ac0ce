-- A survey answer is accepted when it names a patient and scores on the scale, 1 to 5 unless
-- feeds.csv says otherwise. An answer that names neither itself, nor treatment, nor day is nobody's
-- copy: a patient may give the same score twice.
{{ config(
    materialized='incremental_by_file', identified_by=['treatment_id', 'review_date', 'feedback_id'],
    publishes=[{'key': ['patient_id']}],
) }}

{% set options = feed_options('hospital', 'patient_feedback') %}

with feedback as (
    select * from {{ landed('hospital', 'patient_feedback') }}
),

parsed as (
    select
        feedback as raw,
        source_file,
        {{ parse_id('patient_id') }} as patient_id,
        {{ parse_id('treatment_id') }} as treatment_id,
        {{ parse_number('patient_feedback_score', 4, options.decimal_mark) }} as feedback_score,
        {{ parse_date('review_date', options.date_order, options) }} as review_date,
        {{ parse_id('feedback_id') }} as feedback_id
    from feedback
),

validated as (
    select
        *,
        {% call repairs() %}
        {{ unread('treatment_id') }}, {{ unread('review_date') }},
        {{ other_settings(options, 'date', 'review_date') }}
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'patient_id', 'feedback_score patient_feedback_score') }}
            {{ beyond_scale('feedback_score', options, 'patient_feedback_score') }}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw), {{ envelope() }} from validated
)

select * from final
