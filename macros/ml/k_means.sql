{#
    One row with a K-Means, from its tidy parameters: for each feature `mean_`, `scale_` and the
    centroid of each cluster, and the verdict. `clusters` maps the prefix of a centroid's columns
    to the level it has in the parameters.
#}
{% macro k_means_model(fit, features, clusters) %}
    select
        {% for feature in features %}
        max(value) filter (component = 'scaler_mean' and feature = '{{ feature }}')
            as mean_{{ feature }},
        max(value) filter (component = 'scaler_scale' and feature = '{{ feature }}')
            as scale_{{ feature }},
        {% for cluster, level in clusters.items() %}
        max(value) filter (
            component = 'centroid' and level = '{{ level }}' and feature = '{{ feature }}'
        ) as {{ cluster }}_{{ feature }},
        {% endfor %}
        {% endfor %}
        {{ fit_is_reliable() }} as is_reliable
    from {{ ref(fit) }}
{% endmacro %}


{# Squared distance of a row to a cluster's centroid along a feature, in scaled units. #}
{% macro scaled_square(feature, cluster) -%}
    power(({{ feature }} - mean_{{ feature }}) / scale_{{ feature }} - {{ cluster }}_{{ feature }}, 2)
{%- endmacro %}


{# The feature that pulls most, the first of equals: of `pull_<feature>`, times a sign. #}
{% macro strongest_pull(features, sign) -%}
    {%- set pulls = [] -%}
    {%- for feature in features %}{% do pulls.append(sign ~ ' * pull_' ~ feature) %}{% endfor -%}
    case greatest({{ pulls | join(', ') }})
        {%- for feature in features %}
        when {{ pulls[loop.index0] }} then '{{ feature }}'
        {%- endfor %}
    end
{%- endmacro %}


{# A list of values in scaled units, as a point of `n_features` coordinates; beside it stand the lists
   `means` and `scales`. #}
{% macro scaled_point(feature_values, n_features) %}
    {{ return(adapter.dispatch('scaled_point', 'wardhouse')(feature_values, n_features)) }}
{% endmacro %}


{# A list of numbers as a point of `n_features` coordinates, 0 where the list has fewer. #}
{% macro as_point(numbers, n_features) %}
    {{ return(adapter.dispatch('as_point', 'wardhouse')(numbers, n_features)) }}
{% endmacro %}


{# Euclidean distances from a point to each of a list of centroids, in their order. #}
{% macro distances_to_centroids(point, centroids) %}
    {{ return(adapter.dispatch('distances_to_centroids', 'wardhouse')(point, centroids)) }}
{% endmacro %}


{# The place of the smallest of a list of distances, the first of equals. #}
{% macro nearest_place(distances) %}
    {{ return(adapter.dispatch('nearest_place', 'wardhouse')(distances)) }}
{% endmacro %}


{# The place of the second smallest of a list of distances, the first of equals. #}
{% macro second_nearest_place(distances) %}
    {{ return(adapter.dispatch('second_nearest_place', 'wardhouse')(distances)) }}
{% endmacro %}


{# The feature along which a point is nearest to a centroid, as against another one. #}
{% macro nearest_along(features, point, centroid, other_centroid) %}
    {{ return(adapter.dispatch('nearest_along', 'wardhouse')(features, point, centroid, other_centroid)) }}
{% endmacro %}
