-- An opportunity is accepted when it names a provider and a stage that is known. A provider's
-- accounts are opportunities of their own; of several exports the newest day stands, and where none
-- tells its day, opportunities that contradict each other are refused.
{{ config(
    materialized='incremental_by_file', key=['provider_id', 'account_id'], newest_by='as_of_date',
    identified_by=['provider_id'],
) }}

{% set options = feed_options('growth', 'salesforce_crm') %}
{% set amounts = ['opportunity_value', 'deals_value', 'marketing_cost'] %}

with opportunities as (
    select * from {{ landed('growth', 'salesforce_crm') }}
),

parsed as (
    select
        opportunities as raw,
        source_file,
        {{ provider_id_of('opportunities.provider_name') }} as provider_id,
        {{ parse_text('opportunities.provider_name') }} as provider_name,
        {{ parse_id('account_id') }} as account_id,
        {{ parse_date('as_of_date', options.date_order, options) }} as as_of_date,
        pipeline_stages.pipeline_stage,
        {{ up_to(var('maximum_count'), parse_number('contact_count', 0, options.decimal_mark)) }}::bigint
            as contact_count,
        {% for amount in amounts %}
        {{ parse_amount(amount, options.decimal_mark) }} as {{ amount }}_amount,
        {% endfor %}
    from opportunities
    {{ known_provider('opportunities.provider_name') }}
    {{ known_by_spelling('opportunities.pipeline_stage', 'pipeline_stages', options) }}
),

validated as (
    select
        *,
        {% call repairs() %}
        {{ unread('as_of_date') }},
        {{ unread('account_id') }},
        {{ unread('contact_count') }},
        {{ unread('opportunity_value_amount', 'opportunity_value') }},
        {{ unread('deals_value_amount', 'deals_value') }},
        {{ unread('marketing_cost_amount', 'marketing_cost') }},
        {{ other_settings(options, 'date', 'as_of_date') }},
        {{ other_settings(
            options, 'amount', 'opportunity_value_amount opportunity_value',
            'deals_value_amount deals_value', 'marketing_cost_amount marketing_cost'
        ) }}
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            when provider_id is null then 'missing_provider_name'
            {{ known_word('pipeline_stage', 'pipeline_stage') }}
            {%- for amount in amounts %}
            when {{ is_refused_amount(amount ~ '_amount', 'raw.' ~ amount) }} then 'negative_{{ amount }}'
            when {{ is_implausible(amount ~ '_amount', 'raw.' ~ amount, 'maximum_amount') }}
                then 'implausible_{{ amount }}'
            {%- endfor %}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw), {{ envelope() }} from validated
)

select * from final
