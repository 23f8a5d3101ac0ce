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


{#
    Length of a stay in hours, from its admission to its discharge. Where the day alone is known of
    either, it is of whole days.
#}
{% macro length_of_stay_hours() -%}
    case
        when {{ is_stay_of_days() }} then ((discharged_at::date - admitted_at::date) * 24)::decimal(18, 4)
        else {{ round_half_up('(epoch_us(discharged_at) - epoch_us(admitted_at)) / 3.6e9', 4) }}
    end
{%- endmacro %}


{# Whether the day alone is known of a stay's admission or discharge. #}
{% macro is_stay_of_days() -%}
    (coalesce(is_admission_time_unknown, false) or coalesce(is_discharge_time_unknown, false))
{%- endmacro %}


{# The hour of a discharge. One of which the day alone is known is not before its admission. #}
{% macro discharge_hour_at() -%}
    date_trunc('hour', case
        when is_discharge_time_unknown and discharged_at::date = admitted_at::date
            then greatest(discharged_at, admitted_at)
        else discharged_at
    end)
{%- endmacro %}


{#
    What is known of a stay's times. As long as nothing says that the patient left, a stay lasts at
    least until its newest event. A discharge later than what reports it is planned, and no measure.
#}
{% macro stay_flags() -%}
    coalesce(case
        when {{ is_stay_of_days() }} then discharged_at::date < admitted_at::date
        else discharged_at < admitted_at
    end, false) as is_discharge_before_admission,
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


{#
    Patient flow's now, in one row, `now_at`: the newest admission or discharge that is known to have
    happened, not the clock, for a stream may be late. Ordered, what is far from it is not looked at.
#}
{% macro newest_flow() -%}
    select max(happened_at) as now_at
    from (
        (
            select admitted_at as happened_at from {{ ref('fct_patient_stays') }}
            where is_admission_credible and admitted_at <= {{ as_of() }}
            order by happened_at desc limit 1
        )
        union all
        (
            select discharged_at as happened_at from {{ ref('fct_patient_stays') }}
            where is_stay_credible and not is_discharge_planned and discharged_at <= {{ as_of() }}
            order by happened_at desc nulls last limit 1
        )
    )
{%- endmacro %}


{# By how many patients an hour of department_hour_flows lets the census grow. #}
{% macro census_gain() -%}
    coalesce(n_admissions - n_end_unknown - n_discharges - n_discharges_planned, 0)
{%- endmacro %}
