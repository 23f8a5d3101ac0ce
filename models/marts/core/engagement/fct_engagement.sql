-- A person's profiles tell how engagement changed; the newest says what it is now.
with profiles as (
    select
        *,
        person_type = 'patient' as is_patient,
        case
            when person_type = 'patient' then {{ assigning_authority('engagement', 'patient') }}
            else {{ assigning_authority('engagement', 'provider') }}
        end as authority,
        -- A person has one profile a day.
        row_number() over (
            partition by person_type, person_id
            order by as_of_date desc nulls last
        ) = 1 as is_current
    from {{ ref('stg_engagement__profiles') }}
),

keyed as (
    select
        *,
        {{ surrogate_key(['authority', 'person_id']) }} as member_key
    from profiles
),

final as (
    select
        {{ surrogate_key(['person_type', 'authority', 'person_id', 'as_of_date']) }}
            as engagement_key,
        {{ surrogate_key(['person_type', 'authority', 'person_id']) }} as person_key,
        person_type,
        case when is_patient then member_key end as patient_key,
        case when not is_patient then member_key end as provider_key,
        person_id,
        as_of_date,
        satisfaction_score::double as satisfaction_score,
        engagement_level::double as engagement_level,
        procedure_frequency::double as procedure_frequency,
        referral_rate::double as referral_rate,
        technology_adoption::double as technology_adoption,
        first_seen_date,
        left_date,
        annual_value_amount,
        has_marketing_consent,
        undeclared_values,
        is_current,
        repairs
    from keyed
)

select * from final
