-- A profile is accepted when it names a person and a type of person that is known, and its day can
-- be read where it has one. A value outside of its range is unknown; what else a source says of the
-- person is kept as it came. Of profiles of one person and day the last wins.
{{ config(
    materialized='incremental_by_file', key=['person_type', 'person_id', 'as_of_date'],
    on_conflict='last', identified_by=['person_id'], publishes=[{'key': ['person_id']}],
) }}

{% set options = feed_options('engagement', 'healthcare_data') %}
{% set ranges = var('engagement_ranges') %}
{% set value_range = [0, var('maximum_amount')] %}

with profiles as (
    select * from {{ landed('engagement', 'healthcare_data') }}
),

parsed as (
    select
        profiles as raw,
        profiles.source_file,
        {{ known_person_type('profiles.person_type') }} as person_type,
        {{ parse_id('profiles.person_id') }} as person_id,
        {{ parse_date('profiles.as_of_date', options.date_order, options) }} as as_of_date,
        {{ parse_date('profiles.first_seen_date', options.date_order, options) }}
            as first_seen_date,
        {{ parse_boolean('profiles.marketing_consent') }} as has_marketing_consent,
        profiles.undeclared_values,
        {
            {% for measure in engagement_measures() %}
            '{{ measure }}': {{ parse_number('profiles.' ~ measure, 6, options.decimal_mark) }},
            {% endfor %}
            'annual_value': {{ parse_amount('profiles.annual_value', options.decimal_mark) }},
            'left_date': {{ parse_date('profiles.left_date', options.date_order, options) }}
        } as given
    from profiles
    {{ known_by_spelling('profiles.person_type', 'person_types', options) }}
),

validated as (
    select
        *,
        {% for measure in engagement_measures() %}
        {{ in_range('given.' ~ measure, ranges.get(measure)) }} as {{ measure }},
        {% endfor %}
        {{ in_range('given.annual_value', value_range) }} as annual_value_amount,
        case when not coalesce(given.left_date < first_seen_date, false) then given.left_date end
            as left_date,
        {% call repairs() %}
        {% for measure in engagement_measures() %}
        {{ unread('given.' ~ measure, measure) }},
        {{ out_of_range('given.' ~ measure, ranges.get(measure), measure) }},
        {{ other_settings(options, 'number', 'given.' ~ measure ~ ' ' ~ measure) }},
        {% endfor %}
        {{ unread('given.annual_value', 'annual_value') }},
        {{ out_of_range('given.annual_value', value_range, 'annual_value') }},
        {{ other_settings(options, 'amount', 'given.annual_value annual_value') }},
        {{ unread('has_marketing_consent', 'marketing_consent') }},
        {{ unread('first_seen_date') }},
        {{ unread('given.left_date', 'left_date') }},
        case when given.left_date < first_seen_date then 'left_date:before_first_seen' end,
        {{ other_settings(options, 'date', 'as_of_date', 'first_seen_date') }},
        {{ other_settings(options, 'date', 'given.left_date left_date') }}
        {% endcall %} as repairs,
        {{ engagement_refusal() }} as rejection_reason
    from parsed
)

select * exclude (raw, given), {{ envelope(unhashed=['given']) }} from validated
