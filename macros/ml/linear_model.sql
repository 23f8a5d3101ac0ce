{#
    One row with a linear model, from its tidy parameters: `weights` by feature and level (what a
    level or a unit adds), for each feature `offset_<feature>` (what the mean row got), intercept,
    calibration, baseline, first day held out and verdict.
#}
{% macro linear_model(fit, features) %}
    select
        weights.*,
        fitted.*
    from (
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
    ) as weights
    -- Both are one row.
    cross join (
        select
            max(value) filter (component = 'intercept') as intercept,
            max(value) filter (component = 'calibration' and feature = 'slope') as slope,
            max(value) filter (component = 'calibration' and feature = 'intercept') as shift,
            max(value) filter (component = 'baseline' and level is null) as baseline,
            max(text) filter (feature = 'held_out_from')::date as held_out_from,
            {{ fit_is_reliable() }} as is_reliable
        from {{ ref(fit) }}
    ) as fitted
{% endmacro %}


{# What a feature adds to a prediction, against the mean row. An unseen level adds no weight. #}
{% macro linear_contribution(feature, is_number=false) -%}
    {%- if is_number -%}
        coalesce(weights['{{ feature }}'], 0) * {{ feature }} - offset_{{ feature }}
    {%- else -%}
        coalesce(weights['{{ feature }}=' || {{ feature }}], 0) - offset_{{ feature }}
    {%- endif -%}
{%- endmacro %}


{# Features by what each adds to a row's prediction, the largest first. #}
{% macro linear_reasons(features) -%}
    list_reverse_sort([
        {%- for feature in features %}
        struct_pack(contribution := contribution_{{ feature }}, feature := '{{ feature }}')
        {{- ',' if not loop.last }}
        {%- endfor %}
    ])
{%- endmacro %}


{# The feature at a place of `linear_reasons`, where it adds anything. #}
{% macro linear_reason(reasons, place) -%}
    case
        when {{ reasons }}[{{ place }}]['contribution'] > 0
            then {{ reasons }}[{{ place }}]['feature']
    end
{%- endmacro %}
