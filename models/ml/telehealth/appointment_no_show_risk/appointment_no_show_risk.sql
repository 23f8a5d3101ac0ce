-- Applies the fitted logistic regression and its calibration. Contributions are calibrated log-odds
-- against the mean appointment. Where nothing could be fitted there is no probability, and where
-- the fit is not reliable the base rate is what to act on.
{% set levels = [
    'appointment_type', 'day_name', 'scheduled_hour', 'previous_device_type', 'age_group',
    'insurance', 'specialty',
] %}
{% set numbers = ['n_prior_appointments', 'n_prior_no_shows'] %}
{% set features = levels + numbers %}

with appointments as (
    select * from {{ ref('appointment_no_show_features') }}
),

fitted as (
    {{ linear_model('appointment_no_show_fit', features) }}
),

scored as (
    select
        appointments.*,
        {% for feature in features %}
        fitted.slope * ({{ linear_contribution(feature, feature in numbers) }})
            as contribution_{{ feature }},
        {% endfor %}
        fitted.shift + fitted.slope * fitted.intercept
        + {{ feature_sum('contribution_', features) }} as log_odds,
        {{ linear_reasons(features) }} as reasons,
        fitted.baseline as base_rate,
        fitted.is_reliable,
        appointments.appointment_date >= fitted.held_out_from as is_held_out
    from appointments
    -- fitted is one row.
    cross join fitted
),

final as (
    select
        appointment_id,
        appointment_date,
        is_no_show,
        1 / (1 + exp(-log_odds)) as no_show_probability,
        base_rate,
        if(is_reliable, no_show_probability, base_rate) as expected_no_show_rate,
        is_reliable,
        is_held_out,
        {{ linear_reason('reasons', 1) }} as first_reason,
        {{ linear_reason('reasons', 2) }} as second_reason,
        columns('^contribution_')
    from scored
)

select * from final
