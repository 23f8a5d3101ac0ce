-- Applies the fitted scaler and centroids: everybody belongs to the persona whose centroid is
-- nearest, also who was left out of the fit.
with people as (
    select * from {{ ref('persona_vectors') }}
    where is_current
),

fitted as (
    {{ persona_model() }}
),

measured as (
    select
        people.*,
        fitted.means,
        fitted.scales,
        fitted.centroids,
        fitted.persona_numbers,
        fitted.is_reliable,
        {{ distances_to_centroids('people.feature_values', persona_features() | length) }}
            as distances
    from people
    -- One row per person type on the right.
    inner join fitted on people.person_type = fitted.person_type
),

ranked as (
    select
        *,
        {{ nearest_place('distances') }} as first_place,
        {{ nearest_place('distances', other_than='first_place') }} as second_place
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
            'features', 'feature_values', 'centroids[first_place]', 'centroids[second_place]'
        ) }}
            as main_driver,
        is_in_fit,
        n_imputed,
        n_winsorised,
        is_reliable
    from ranked
)

select * from final
