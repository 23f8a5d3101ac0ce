-- A provider is accepted when it has an identifier. Where one is described twice, the last wins.
{{ config(materialized='incremental_by_file', key=['provider_id'], on_conflict='last') }}

{% set options = feed_options('telehealth', 'providers') %}

with providers as (
    select * from {{ landed('telehealth', 'providers') }}
),

parsed as (
    select
        providers as raw,
        source_file,
        {{ parse_id('provider_id') }} as provider_id,
        {{ parse_text('first_name') }} as first_name,
        {{ parse_text('last_name') }} as last_name,
        {{ parse_text('providers.specialty') }} as specialty,
        {{ up_to(
            var('maximum_age'), parse_number('providers.years_experience', 2, options.decimal_mark)
        ) }} as years_experience,
        upper({{ parse_text('providers.state') }}) as state,
        {{ up_to(var('maximum_amount'), parse_amount('providers.hourly_rate', options.decimal_mark)) }}
            as hourly_rate_amount,
        {{ up_to(
            var('maximum_hours'), parse_number('providers.available_hours', 2, options.decimal_mark)
        ) }} as available_hours,
        {{ parse_boolean('active') }} as is_active
    from providers
),

validated as (
    select
        *,
        {% call repairs() %}
        {{ unread('years_experience') }},
        {{ unread('hourly_rate_amount', 'hourly_rate') }},
        {{ unread('available_hours') }},
        {{ unread('is_active', 'active') }},
        {{ other_settings(options, 'amount', 'hourly_rate_amount hourly_rate') }},
        {{ other_settings(options, 'number', 'years_experience', 'available_hours') }}
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            {{ required('unreadable', 'provider_id') }}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw), {{ envelope() }} from validated
)

select * from final
