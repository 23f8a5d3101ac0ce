-- The providers of all areas. Where areas speak of one provider, the first of them that knows an
-- attribute says so.
{% set areas = ['hospital', 'telehealth', 'growth', 'engagement'] %}

with members as (
    {% for area in areas %}
    select
        *,
        {{ loop.index }} as priority,
        {{ assigning_authority(area, 'provider') }} as assigning_authority
    from {{ ref(area ~ '_providers') }}
    {{ 'union all by name' if not loop.last }}
    {% endfor %}
),

final as (
    select
        provider_key,
        -- The key is made of these two.
        any_value(provider_id) as provider_id,
        any_value(assigning_authority) as assigning_authority,
        {% for attribute in [
            'provider_name', 'specialty', 'years_experience', 'state', 'hourly_rate_amount',
            'available_hours', 'is_active',
        ] %}
        min_by({{ attribute }}, priority) filter ({{ attribute }} is not null) as {{ attribute }},
        {% endfor %}
        bool_and(is_inferred) as is_inferred
    from members
    group by provider_key
)

select * from final
