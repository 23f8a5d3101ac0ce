-- Events make a stay. What a later one says wins; what it does not say, an earlier one.
{{ config(
    materialized='incremental_by_key', key=['patient_stay_key'], day='admitted_at',
    consumes=['base_patient_flow__patient_events(patient_stay_key)'],
    publishes=[
        {'key': ['patient_key'], 'tracked': ['patient_stay_key', 'admitted_at', 'age', 'gender']},
        {'key': ['department_key', 'admission_hour_at'], 'day': 'admission_hour_at'},
        {'key': ['department_key', 'discharge_hour_at'], 'day': 'discharge_hour_at'},
    ],
) }}

with events as (
    select
        *, coalesce(event_time, ingested_at) as known_at, {{ stay_event_number() }} as event_number,
        list_contains(repairs, 'admission_time:time_unknown') as is_admission_time_unknown,
        if(discharged_at is null, null, list_contains(repairs, 'discharge_time:time_unknown'))
            as is_discharge_time_unknown
    from {{ only_changed(ref('stg_patient_flow__patient_events')) }}
),

stays as (
    select
        patient_stay_key,
        min(hospital_id) as hospital_id,
        min(patient_id) as patient_id,
        min(admitted_at) as admitted_at,
        {% for attribute in [
            'department', 'discharged_at', 'age', 'reported_age', 'gender', 'bed_id', 'wait_minutes',
            'is_admission_time_unknown', 'is_discharge_time_unknown',
        ] %}
        arg_max({{ attribute }}, event_number) as {{ attribute }},
        {% endfor %}
        -- Where any clock is known, a clock decides.
        coalesce(bool_or(is_credible) filter (known_at is not null), true) as is_admission_in_time,
        count(*) as n_events,
        min(known_at) as first_event_at,
        max(known_at) as last_event_at,
        list_sort(list_distinct(flatten(list(repairs)))) as repairs
    from events
    group by patient_stay_key
),

flagged as (
    select *, {{ stay_flags() }} from stays
),

final as (
    select
        patient_stay_key,
        {{ member_key('patient_flow', 'patient', 'patient_id') }} as patient_key,
        {{ department_key() }} as department_key,
        hospital_id, department, patient_id, admitted_at, discharged_at,
        admitted_at::date as admission_date, date_trunc('hour', admitted_at) as admission_hour_at,
        {{ discharge_hour_at() }} as discharge_hour_at,
        age, reported_age, gender, bed_id, wait_minutes,
        case
            when is_stay_credible and not is_discharge_planned then {{ length_of_stay_hours() }}
        end as length_of_stay_hours,
        is_admission_time_unknown,
        coalesce(is_discharge_time_unknown, false) as is_discharge_time_unknown,
        is_stay_too_long, is_admission_credible, is_discharge_before_admission,
        is_discharge_unreadable, is_discharge_planned, is_stay_credible,
        list_contains(repairs, 'age:set_null') as is_age_repaired,
        n_events, first_event_at, last_event_at, repairs
    from flagged
)

-- In order of time, the stays that a stream still changes are stored together.
select * from final
order by admitted_at
