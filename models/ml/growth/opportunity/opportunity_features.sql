-- What is foretold of a provider, and what by. One row for each feature, so that which features are
-- taken is a setting and not a change of the model.
{% set target = opportunity_target() %}

with providers as (
    select * from {{ ref('provider_metrics') }}
),

final as (
    {% for feature in opportunity_features() %}
    select
        provider_key,
        provider_name,
        '{{ feature }}' as feature,
        {{ feature }}::double as value,
        {{ target }}::double as target
    from providers
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from final
