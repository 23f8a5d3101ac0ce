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
