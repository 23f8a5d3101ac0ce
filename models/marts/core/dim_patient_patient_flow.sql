-- Patient flow's part of dim_patient: what the newest of a patient's stays tells of the person.
-- Whom nothing is told of is an inferred member.
{{ follow_changes(
    'patient_key', ['fct_patient_stays.patient_key'],
    publishes=[{'column': 'patient_key', 'told': 'patient_id, age, gender'}],
) }}

with stays as (
    select
        *,
        row_number() over (partition by patient_key order by admitted_at, patient_stay_key)
            as stay_number
    from {{ ref('fct_patient_stays') }}
    {{ only_changed(of=ref('fct_patient_stays')) }}
),

final as (
    select
        patient_key,
        min(patient_id) as patient_id,
        arg_max(age, stay_number) as age,
        {{ age_group('arg_max(age, stay_number)') }} as age_group,
        arg_max(gender, stay_number) as gender,
        count(age) + count(gender) = 0 as is_inferred
    from stays
    group by patient_key
)

select * from final
