-- Sums that the tests behind telehealth's insights are made of. y is what is looked at, x what it
-- is set against. Groups that stand for the unknown are left out. Decimal sums do not depend on the
-- order of rows; a value of six digits before the point is nothing to compute with.
{% set questions = [
    ('status_mix', 'visits', "'Completed'", 'is_completed::integer', 'null'),
    ('device_technical_issues', 'visits', 'device_type', 'has_technical_issues::integer', 'null'),
    ('device_wait', 'visits', 'device_type', 'wait_minutes', 'null'),
    ('appointment_type_duration', 'visits', 'appointment_type',
     'case when is_completed then duration_minutes end', 'null'),
    ('age_group_no_show', 'visits', 'age_group', 'is_no_show::integer', 'null'),
    ('insurance_no_show', 'visits', "if(has_insurance, 'Insured', 'Uninsured')",
     'is_no_show::integer', 'null'),
    ('specialty_provider_rating', 'feedback', 'specialty', 'provider_rating', 'null'),
    ('specialty_satisfaction', 'feedback', 'specialty', 'overall_satisfaction', 'null'),
    ('connection_quality_satisfaction', 'feedback', "'all'", 'overall_satisfaction',
     'connection_quality_score'),
    ('technical_issues_satisfaction', 'feedback', "'all'", 'overall_satisfaction',
     'has_technical_issues::integer'),
    ('wait_satisfaction', 'feedback', "'all'", 'overall_satisfaction', 'wait_minutes'),
] %}

with visits as (
    select
        appointments.* exclude (device_type),
        nullif(appointments.device_type, 'Unknown') as device_type,
        appointments.appointment_status = 'No-show' as is_no_show,
        patients.age_group,
        patients.has_insurance
    from {{ ref('fct_appointments') }} as appointments
    -- patient_key is unique on the right.
    inner join {{ ref('dim_patient') }} as patients
        on appointments.patient_key = patients.patient_key
),

feedback as (
    select
        answers.*,
        providers.specialty
    from {{ ref('fct_appointment_feedback') }} as answers
    -- provider_key is unique on the right.
    inner join {{ ref('dim_provider') }} as providers
        on answers.provider_key = providers.provider_key
),

measured as (
    {% for insight, relation, group, y, x in questions %}
    select
        '{{ insight }}' as insight,
        {{ group }} as group_name,
        try_cast({{ y }} as decimal(9, 4)) as y,
        try_cast({{ x }} as decimal(9, 4)) as x
    from {{ relation }}
    where
        {{ y }} is not null
        {%- if x != 'null' %} and {{ x }} is not null{% endif %}
        {%- if "'" not in group %} and {{ group }} is not null{% endif %}
        {%- if 'insurance' in group %} and has_insurance is not null{% endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        insight,
        group_name,
        count(y) as n,
        coalesce(sum(y), 0)::double as y_sum,
        coalesce(sum(y * y), 0)::double as y_square_sum,
        coalesce(sum(x), 0)::double as x_sum,
        coalesce(sum(x * x), 0)::double as x_square_sum,
        coalesce(sum(x * y), 0)::double as xy_sum
    from measured
    group by insight, group_name
)

select * from final
order by insight, group_name
