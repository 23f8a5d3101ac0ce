{# Arrays of one length are compared in half the time of lists. #}
{% macro duckdb__as_point(numbers, n_features) -%}
    list_resize({{ numbers }}, {{ n_features }}, 0)::double[{{ n_features }}]
{%- endmacro %}


{% macro duckdb__scaled_point(feature_values, n_features) -%}
    {{ as_point(
        'list_transform(list_zip(' ~ feature_values ~ ', means, scales), '
        ~ 'lambda each: (each[1] - each[2]) / each[3])',
        n_features
    ) }}
{%- endmacro %}


{% macro duckdb__distances_to_centroids(point, centroids) -%}
    list_transform({{ centroids }}, lambda centroid: array_distance({{ point }}, centroid))
{%- endmacro %}


{% macro duckdb__nearest_place(distances) -%}
    list_position({{ distances }}, list_min({{ distances }}))
{%- endmacro %}


{# Where two are as near, the second is looked for behind the first. #}
{% macro duckdb__second_nearest_place(distances) -%}
    case
        when list_sort({{ distances }})[2] > list_min({{ distances }})
            then list_position({{ distances }}, list_sort({{ distances }})[2])
        else {{ duckdb__nearest_place(distances) }} + list_position(
            {{ distances }}[{{ duckdb__nearest_place(distances) }} + 1 :], list_sort({{ distances }})[2]
        )
    end
{%- endmacro %}


{% macro duckdb__nearest_along(features, point, centroid, other_centroid) -%}
    {%- set pulls = 'list_transform(list_zip(' ~ point ~ '::double[], ' ~ centroid ~ '::double[], '
        ~ other_centroid ~ '::double[]), lambda each: power(each[1] - each[3], 2) - power(each[1] - each[2], 2))' -%}
    {{ features }}[list_position({{ pulls }}, list_max({{ pulls }}))]
{%- endmacro %}
