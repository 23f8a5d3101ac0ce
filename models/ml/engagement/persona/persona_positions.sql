-- Where each person stood on each day, by the scaler and centroids of the first day: what moved
-- between days is people and not the fit. Without several days there is no row.
with people as (
    select * from {{ ref('persona_vectors') }}
    where as_of_date is not null
),

fitted as (
    {{ persona_model('first_') }}
),

measured as (
    select
        people.person_type,
        people.person_key,
        people.as_of_date,
        fitted.persona_numbers,
        {{ distances_to_centroids('people.feature_values', persona_features() | length) }}
            as distances
    from people
    -- One row per person type on the right.
    inner join fitted on people.person_type = fitted.person_type
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
