-- Where each person stood on each day, by the scaler and centroids of the first day: what moved
-- between days is people and not the fit. Without several days there is no row.
with people as (
    select * from {{ ref('persona_vectors') }}
    where as_of_date is not null
),

fitted as (
    {{ persona_model('first_') }}
),

scaled as (
    {{ people_and_personas(['person_type', 'person_key', 'as_of_date']) }}
),

measured as (
    select
        *,
        {{ distances_to_centroids('point', 'centroids') }} as distances
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
