{#
    Order of the events of a stay, total: by the event's moment, else by when it landed; of equally
    new ones the one that knows of a discharge comes last.
#}
{% macro stay_event_number() -%}
    row_number() over (
        partition by patient_stay_key
        order by
            coalesce(event_time, ingested_at) asc nulls first,
            ingested_at asc nulls first,
            discharged_at is not null asc,
            record_hash asc
    )
{%- endmacro %}


{# Key of a stay: a patient of a hospital, and the time of admission. #}
{% macro patient_stay_key() -%}
    {{ surrogate_key([
        assigning_authority('patient_flow', 'hospital'), 'hospital_id',
        assigning_authority('patient_flow', 'patient'), 'patient_id', 'admitted_at',
    ]) }}
{%- endmacro %}


{# Key of a hospital's department. #}
{% macro department_key() -%}
    {{ surrogate_key([assigning_authority('patient_flow', 'hospital'), 'hospital_id', 'department']) }}
{%- endmacro %}


{# Length of a stay in hours, from its admission to its discharge. #}
{% macro length_of_stay_hours() -%}
    {{ round_half_up('(epoch_us(discharged_at) - epoch_us(admitted_at)) / 3.6e9', 4) }}
{%- endmacro %}


{#
    What is known of a stay's times. As long as nothing says that the patient left, a stay lasts at
    least until its newest event. A discharge later than what reports it is planned, and no measure.
#}
{% macro stay_flags() -%}
    coalesce(discharged_at < admitted_at, false) as is_discharge_before_admission,
    discharged_at is null and list_contains(repairs, 'discharge_time:set_null')
        as is_discharge_unreadable,
    coalesce(discharged_at > last_event_at, false) as is_discharge_planned,
    coalesce({{ is_too_long('coalesce(discharged_at, last_event_at)') }}, false) as is_stay_too_long,
    is_admission_in_time and not is_stay_too_long as is_admission_credible,
    is_admission_credible and not is_discharge_before_admission
    and not is_discharge_unreadable as is_stay_credible
{%- endmacro %}


{# Whether a stay that lasted until a moment is longer than any can be. #}
{% macro is_too_long(ended_at) -%}
    {{ ended_at }} > admitted_at + to_days({{ var('maximum_stay_days') }})
{%- endmacro %}
