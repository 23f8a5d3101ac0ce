-- A survey answer is accepted when it names a patient and scores from 1 to 5. An answer that names
-- neither treatment nor day is nobody's copy: a patient may give the same score twice.
{{ config(
    materialized='incremental_by_file', identified_by=['treatment_id', 'review_date'],
    publishes=[{'key': ['patient_id']}],
) }}

{% set area, feed = 'hospital', 'patient_feedback' %}
{% set decimal_mark = feed_option(area, feed, 'decimal_mark', '.') %}
{% set date_order = feed_option(area, feed, 'date_order', var('date_order')) %}

with feedback as (
    select * from {{ landed(area, feed) }}
),

parsed as (
    select
        feedback as raw,
        unreadable_text,
        source_file,
        {{ parse_id('patient_id') }} as patient_id,
        {{ parse_id('treatment_id') }} as treatment_id,
        {{ parse_number('patient_feedback_score', 4, decimal_mark) }} as feedback_score,
        {{ parse_date('review_date', date_order) }} as review_date
    from feedback
),

judged as (
    select
        *,
        {{ repairs([
            ('review_date is null and not ' ~ is_blank('raw.review_date'), 'review_date:set_null'),
        ]) }} as repairs,
        {{ rejection([
            ('patient_id is null', 'missing_patient_id'),
            ('feedback_score is null', 'missing_patient_feedback_score'),
            ('feedback_score not between 1 and 5', 'patient_feedback_score_outside_1_to_5'),
        ]) }} as rejection_reason
    from parsed
),

final as (
    select
        patient_id,
        treatment_id,
        feedback_score,
        review_date,
        source_file,
        {{ record_hash(['patient_id', 'treatment_id', 'feedback_score', 'review_date', 'repairs']) }}
            as record_hash,
        record_hash as key_hash,
        repairs,
        rejection_reason,
        false as is_duplicate,
        {{ rejected_record([
            'patient_id', 'treatment_id', 'patient_feedback_score', 'review_date', 'unreadable_text',
        ]) }} as rejected_record
    from judged
)

select * from final
