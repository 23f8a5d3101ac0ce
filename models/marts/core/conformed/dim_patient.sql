-- The patients of all areas. Where areas speak of one patient, the first of them that knows an
-- attribute says so.
{% set areas = ['hospital', 'telehealth', 'patient_flow', 'growth', 'engagement'] %}
{{ config(
    materialized='incremental_by_key', key=['patient_key'],
    consumes=[
        'hospital_patients(patient_key)', 'telehealth_patients(patient_key)',
        'patient_flow_patients(patient_key)', 'growth_patients(patient_key)',
        'engagement_patients(patient_key)',
    ],
) }}

with members as (
    {% for area in areas %}
    select
        *,
        {{ loop.index }} as priority,
        {{ assigning_authority(area, 'patient') }} as assigning_authority
    from {{ only_changed(ref(area ~ '_patients')) }}
    {{ 'union all by name' if not loop.last }}
    {% endfor %}
),

final as (
    select
        patient_key,
        -- The key is made of these two.
        any_value(patient_id) as patient_id,
        any_value(assigning_authority) as assigning_authority,
        {% for attribute in ['age', 'age_group', 'gender', 'has_insurance', 'registration_date'] %}
        min_by({{ attribute }}, priority) filter ({{ attribute }} is not null) as {{ attribute }},
        {% endfor %}
        bool_and(is_inferred) as is_inferred
    from members
    group by patient_key
)

select * from final
