-- Profiles that count, one of each person and day.
with profiles as (
    select * from {{ ref('base_engagement__healthcare_data') }}
),

final as (
    select
        person_type,
        person_id,
        as_of_date,
        satisfaction_score,
        engagement_level,
        procedure_frequency,
        referral_rate,
        technology_adoption,
        first_seen_date,
        left_date,
        annual_value_amount,
        has_marketing_consent,
        undeclared_values,
        repairs,
        source_file,
        record_hash
    from profiles
    where rejection_reason is null and not is_duplicate
)

select * from final
