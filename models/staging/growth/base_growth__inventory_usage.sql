-- A supply position is accepted when it names a provider, an item, a day and a quantity, and nothing
-- is negative. What the same provider counts of the same item twice a day must agree.
{{ config(materialized='incremental_by_file', key=['provider_id', 'item_name', 'position_date']) }}

{% set options = feed_options('growth', 'inventory_usage') %}
{% set quantities = ['quantity_on_hand', 'daily_usage', 'reorder_point'] %}

with positions as (
    select * from {{ landed('growth', 'inventory_usage') }}
),

parsed as (
    select
        positions as raw,
        source_file,
        {{ provider_id_of('positions.provider_name') }} as provider_id,
        {{ parse_text('positions.provider_name') }} as provider_name,
        {{ parse_word('positions.item_name') }} as item_name,
        {{ parse_date('"date"', options.date_order, options) }} as position_date,
        {% for quantity in quantities %}
        {{ parse_number(quantity, 2, options.decimal_mark) }} as {{ quantity }},
        {% endfor %}
    from positions
    {{ known_provider('positions.provider_name') }}
),

validated as (
    select
        *,
        {% call repairs() %}
        {{ unread('daily_usage') }},
        {{ unread('reorder_point') }},
        {{ other_settings(options, 'date', 'position_date date') }},
        {{ other_settings(options, 'number', 'quantity_on_hand', 'daily_usage', 'reorder_point') }}
        {% endcall %} as repairs,
        case
            when raw.unreadable_text is not null then {{ unreadable_reason() }}
            when provider_id is null then 'missing_provider_name'
            when item_name is null then 'missing_item_name'
            {{ required('unreadable', 'position_date date', 'quantity_on_hand') }}
            {%- for quantity in quantities %}
            when {{ quantity }} < 0 then 'negative_{{ quantity }}'
            when {{ is_implausible(quantity, 'raw.' ~ quantity, 'maximum_count') }}
                then 'implausible_{{ quantity }}'
            {%- endfor %}
        end as rejection_reason
    from parsed
),

final as (
    select * exclude (raw), {{ envelope() }} from validated
)

select * from final
