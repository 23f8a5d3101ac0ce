{# Arrays of one length take half the time of lists. #}
{% macro duckdb__distances_to_centroids(feature_values, n_features) -%}
    {%- set scaled = 'list_transform(' ~ feature_values
        ~ ', lambda value, place: (value - means[place]) / scales[place])' -%}
    list_transform(
        centroids,
        lambda centroid: array_distance(
            list_resize({{ scaled }}, {{ n_features }}, 0)::double[{{ n_features }}],
            list_resize(centroid, {{ n_features }}, 0)::double[{{ n_features }}]
        )
    )
{%- endmacro %}


{% macro duckdb__nearest_place(distances, other_than=none) -%}
    {%- if other_than is none -%}
        list_position({{ distances }}, list_min({{ distances }}))
    {%- else -%}
        list_position(
            list_transform({{ distances }}, lambda distance, place: case when place <> {{ other_than }} then distance end),
            list_min(list_filter({{ distances }}, lambda distance, place: place <> {{ other_than }}))
        )
    {%- endif -%}
{%- endmacro %}


{% macro duckdb__nearest_along(features, feature_values, centroid, other_centroid) -%}
    {%- set scaled = '(value - means[place]) / scales[place]' -%}
    {%- set pulls = 'list_transform(' ~ feature_values ~ ', lambda value, place: power('
        ~ scaled ~ ' - ' ~ other_centroid ~ '[place], 2) - power(' ~ scaled ~ ' - ' ~ centroid ~ '[place], 2))' -%}
    {{ features }}[list_position({{ pulls }}, list_max({{ pulls }}))]
{%- endmacro %}
