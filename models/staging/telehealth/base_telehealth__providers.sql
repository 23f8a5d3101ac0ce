-- A provider is accepted when it has an identifier. Where one is described twice, the last stands.
{{ config(materialized='incremental_by_file', key=['provider_id'], on_conflict='last') }}

{% set area, feed = 'telehealth', 'providers' %}
{% set decimal_mark = feed_option(area, feed, 'decimal_mark', '.') %}
{% set typed_columns = [
    'provider_id', 'first_name', 'last_name', 'specialty', 'years_experience', 'state',
    'hourly_rate_amount', 'available_hours', 'is_active', 'repairs',
] %}

with providers as (
    select * from {{ landed(area, feed) }}
),

parsed as (
    select
        providers as raw,
        unreadable_text,
        source_file,
        {{ parse_id('provider_id') }} as provider_id,
        {{ parse_text('first_name') }} as first_name,
        {{ parse_text('last_name') }} as last_name,
        {{ parse_text('providers.specialty') }} as specialty,
        {{ not_below_zero(parse_number('providers.years_experience', 2, decimal_mark)) }}
            as years_experience,
        upper({{ parse_text('providers.state') }}) as state,
        {{ not_below_zero(parse_amount('providers.hourly_rate', decimal_mark)) }}
            as hourly_rate_amount,
        {{ not_below_zero(parse_number('providers.available_hours', 2, decimal_mark)) }}
            as available_hours,
        {{ parse_boolean('active') }} as is_active
    from providers
),

judged as (
    select
        *,
        {{ repairs([
            unread('years_experience'),
            unread('hourly_rate_amount', 'hourly_rate'),
            unread('available_hours'),
            unread('is_active', 'active'),
        ]) }} as repairs,
        {{ rejection(required(['provider_id'])) }} as rejection_reason
    from parsed
),

final as (
    select
        {{ typed_columns | join(',\n        ') }},
        source_file,
        {{ record_hash(typed_columns) }} as record_hash,
        {{ record_hash(['provider_id']) }} as key_hash,
        rejection_reason,
        false as is_duplicate,
        {{ rejected_record([
            'provider_id', 'first_name', 'last_name', 'specialty', 'years_experience', 'state',
            'hourly_rate', 'available_hours', 'active', 'unreadable_text',
        ]) }} as rejected_record
    from judged
)

select * from final
