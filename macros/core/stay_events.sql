{#
    Order of the events of a stay, total: by the event's moment, else by when it landed; of equally
    new ones the one that knows of a discharge stands behind.
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
