-- Where each person stood on each day, by the scaler and centroids of the first day: what moved between
-- days is people and not the fit. Without several days there is no row.
{% set n_features = persona_features() | length %}

with people as (
    select * from {{ ref('persona_vectors') }}
    where as_of_date is not null
),

fitted as (
    {{ persona_model('first_') }}
),

scaled as (
    select
        people.person_type,
        people.person_key,
        people.as_of_date,
        fitted.persona_numbers,
        fitted.centroids,
        {{ scaled_point('people.feature_values', n_features) }} as point
    from people
    -- One row per person type on the right.
    inner join fitted on people.person_type = fitted.person_type
),

measured as (
    select
        *,
        {{ distances_to_centroids('point', 'centroids', n_features) }} as distances
    from scaled
),

final as (
    select
        person_type,
        person_key,
        as_of_date,
        persona_numbers[{{ nearest_place('distances') }}] as persona_number
    from measured
)

select * from final
