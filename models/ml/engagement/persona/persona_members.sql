-- Applies the fitted scaler and centroids: everybody belongs to the persona whose centroid is
-- nearest, also who was left out of the fit.
with people as (
    select * from {{ ref('persona_vectors') }}
    where is_current
),

fitted as (
    {{ persona_model() }}
),

scaled as (
    {{ people_and_personas(
        ['person_type', 'person_key', 'is_in_fit', 'n_imputed', 'n_winsorised']
    ) }}
),

measured as (
    select
        *,
        {{ distances_to_centroids('point', 'centroids') }} as distances
    from scaled
),

ranked as (
    select
        *,
        {{ nearest_place('distances') }} as first_place,
        {{ second_nearest_place('distances') }} as second_place
    from measured
),

final as (
    select
        person_type,
        person_key,
        persona_numbers[first_place] as persona_number,
        distances[first_place] as distance,
        persona_numbers[second_place] as second_persona_number,
        distances[second_place] as second_distance,
        distances[second_place] - distances[first_place] as margin,
        {{ nearest_along(
            'features', 'point', 'centroids[first_place]', 'centroids[second_place]'
        ) }}
            as main_driver,
        is_in_fit,
        n_imputed,
        n_winsorised,
        is_reliable
    from ranked
)

select * from final
