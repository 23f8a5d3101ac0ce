{#
    One row with what a linear model adds, from its tidy parameters: `weights` by feature and level
    (what a level or a unit adds), and for each feature `offset_<feature>`, what the mean row got.
#}
{% macro linear_weights(fit, features) %}
    select
        map_from_entries(array_agg((name, weight) order by name)) as weights,
        {% for feature in features %}
        coalesce(sum(weight * mean_value order by name) filter (feature = '{{ feature }}'), 0)
            as offset_{{ feature }}{{ ',' if not loop.last }}
        {% endfor %}
    from (
        select
            feature,
            concat_ws('=', feature, level) as name,
            max(value) filter (component = 'scaler_mean') as mean_value,
            max(value) filter (component = 'coefficient')
            / max(value) filter (component = 'scaler_scale') as weight
        from {{ ref(fit) }}
        where component in ('scaler_mean', 'scaler_scale', 'coefficient')
        group by feature, level
    ) as columns_of_the_model
{% endmacro %}


{# What a feature adds to a row's prediction, against the mean row. An unseen level adds no weight. #}
{% macro linear_contribution(feature, is_number=false) -%}
    {%- if is_number -%}
        coalesce(weights['{{ feature }}'], 0) * {{ feature }} - offset_{{ feature }}
    {%- else -%}
        coalesce(weights['{{ feature }}=' || {{ feature }}], 0) - offset_{{ feature }}
    {%- endif -%}
{%- endmacro %}
