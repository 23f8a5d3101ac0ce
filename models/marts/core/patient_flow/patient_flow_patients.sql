-- Patient flow's part of dim_patient: what the newest of a patient's stays says of the person.
-- A patient of whom nothing is known is an inferred member.
{{ config(
    materialized='incremental_by_key', key=['patient_key'],
    consumes=['fct_patient_stays(patient_key)'], publishes=[{'key': ['patient_key']}],
) }}

with stays as (
    select
        *,
        row_number() over (partition by patient_key order by admitted_at, patient_stay_key)
            as stay_number
    from {{ only_changed(ref('fct_patient_stays')) }}
),

patients as (
    select
        patient_key,
        max(admitted_at) as admitted_at,
        arg_max(patient_stay_key, stay_number) as patient_stay_key,
        arg_max(age, stay_number) as age,
        arg_max(gender, stay_number) as gender,
        count(age) + count(gender) = 0 as is_inferred
    from stays
    group by patient_key
),

final as (
    select
        patients.patient_key,
        newest.patient_id,
        patients.age,
        {{ age_group('patients.age') }} as age_group,
        patients.gender,
        patients.is_inferred
    from patients
    -- A text costs far more to find in a long table than a number: one is read of each patient.
    inner join {{ ref('fct_patient_stays') }} as newest using (patient_stay_key, admitted_at)
)

select * from final
