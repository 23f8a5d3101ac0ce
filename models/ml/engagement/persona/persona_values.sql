-- What people may be told apart by, as it was delivered. One row for each feature, so that which
-- features are taken is a setting and not a change of the model.
{% set options = feed_options('engagement', 'healthcare_data') %}

with profiles as (
    select * from {{ ref('fct_engagement') }}
),

final as (
    {% for feature in persona_features() %}
    select
        person_type,
        person_key,
        as_of_date,
        is_current,
        {{ sql_text(feature) }} as feature,
        {{ profile_number(feature, options) }} as value
    from profiles
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from final
