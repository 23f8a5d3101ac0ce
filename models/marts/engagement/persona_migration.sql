-- How many went from one persona to another between two days, against how many a fit of other
-- samples of the first day labels otherwise when no time passes, of so many people. No forecast.
{{ config(meta={'publish': 'internal'}) }}

with moves as (
    select
        person_type, from_date, to_date, from_persona_number, to_persona_number,
        count(*) as n_people,
        (sum(n_people) over starts)::bigint as n_from
    from {{ ref('persona_moves') }}
    group by person_type, from_date, to_date, from_persona_number, to_persona_number
    window starts as (partition by person_type, from_date, to_date, from_persona_number)
),

noise as (
    select
        person_type,
        level::integer as from_persona_number,
        feature::integer as to_persona_number,
        value as share
    from {{ ref('persona_fit') }}
    where component = 'first_noise'
),

rates as (
    select
        moves.*,
        {{ rate_with_interval('moves.n_people', 'moves.n_from', 'share') }},
        coalesce(noise.share, 0) as noise_share,
        {{ wilson_bound('coalesce(noise.share, 0) * moves.n_from', 'moves.n_from', 'high') }}
            as noise_high
    from moves
    -- One row per pair of personas on the right.
    left join noise using (person_type, from_persona_number, to_persona_number)
),

final as (
    select
        rates.person_type,
        rates.from_date,
        rates.to_date,
        rates.from_persona_number,
        from_names.persona_name as from_persona,
        rates.to_persona_number,
        to_names.persona_name as to_persona,
        {{ unless_few('rates.n_from', 'rates.n_from') }} as n_from,
        {% for figure in ['n_people', 'share', 'share_low', 'share_high'] %}
        {{ unless_few('rates.' ~ figure, 'rates.n_people') }} as {{ figure }},
        {% endfor %}
        rates.noise_share,
        {{ unless_few('rates.noise_high', 'rates.n_from') }} as noise_high,
        case
            when rates.from_persona_number = rates.to_persona_number then 'stayed'
            when rates.share_low > rates.noise_high then 'more than noise'
            else 'no more than noise'
        end as verdict
    from rates
    -- One row per persona on the right.
    left join {{ ref('persona_names') }} as from_names
        on
            rates.person_type = from_names.person_type
            and rates.from_persona_number = from_names.persona_number
    left join {{ ref('persona_names') }} as to_names
        on
            rates.person_type = to_names.person_type
            and rates.to_persona_number = to_names.persona_number
)

select * from final
order by person_type, from_date, from_persona_number, to_persona_number
