-- Applies the fitted regression. Where the fit is not reliable the mean of the appointment's type
-- is what to plan with; where nothing could be fitted nothing is known.
{% set features = ['appointment_type', 'specialty', 'age_group'] %}

with appointments as (
    select * from {{ ref('appointment_duration_features') }}
),

fitted as (
    {{ linear_model('appointment_duration_fit', features) }}
),

means as (
    select
        level,
        value as mean_minutes
    from {{ ref('appointment_duration_fit') }}
    where component = 'baseline' and level is not null
),

scored as (
    select
        appointments.*,
        fitted.is_reliable,
        appointments.appointment_date >= fitted.held_out_from as is_held_out,
        coalesce(means.mean_minutes, fitted.baseline) as type_mean_minutes,
        {% for feature in features %}
        {{ linear_contribution(feature) }}
            as contribution_{{ feature }},
        {% endfor %}
        fitted.intercept + {{ feature_sum('contribution_', features) }} as forecast_minutes
    from appointments
    -- fitted is one row.
    cross join fitted
    -- One row per type on the right.
    left join means on appointments.appointment_type = means.level
),

final as (
    select
        appointment_id,
        appointment_date,
        duration_minutes,
        forecast_minutes,
        type_mean_minutes,
        if(is_reliable, forecast_minutes, type_mean_minutes) as expected_minutes,
        is_reliable,
        coalesce(is_held_out, false) as is_held_out,
        columns('^contribution_')
    from scored
)

select * from final
