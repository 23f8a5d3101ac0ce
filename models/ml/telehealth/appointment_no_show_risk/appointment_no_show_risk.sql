-- Applies the fitted logistic regression and its calibration. Contributions are calibrated log-odds
-- against the mean appointment. Where nothing could be fitted there is no probability, and where
-- the fit is not reliable the base rate is what to act on.
{% set levels = [
    'appointment_type', 'day_name', 'scheduled_hour', 'previous_device_type', 'age_group',
    'insurance', 'specialty',
] %}
{% set numbers = ['n_prior_appointments', 'n_prior_no_shows'] %}

with appointments as (
    select * from {{ ref('appointment_no_show_features') }}
),

weights as (
    {{ linear_weights('appointment_no_show_fit', levels + numbers) }}
),

fitted as (
    select
        max(value) filter (component = 'intercept') as intercept,
        max(value) filter (component = 'calibration' and feature = 'slope') as slope,
        max(value) filter (component = 'calibration' and feature = 'intercept') as shift,
        max(value) filter (component = 'baseline') as base_rate,
        max(text) filter (feature = 'held_out_from')::date as held_out_from,
        coalesce(max(value) filter (feature = 'is_reliable') = 1, false) as is_reliable
    from {{ ref('appointment_no_show_fit') }}
),

scored as (
    select
        appointments.*,
        {% for feature in levels + numbers %}
        fitted.slope * ({{ linear_contribution(feature, feature in numbers) }})
            as contribution_{{ feature }},
        {% endfor %}
        fitted.shift + fitted.slope * fitted.intercept
        {%- for feature in levels + numbers %}
        + contribution_{{ feature }}
        {%- endfor %} as log_odds,
        list_reverse_sort([
            {% for feature in levels + numbers %}
            struct_pack(
                contribution := contribution_{{ feature }}, feature := '{{ feature }}'
            ){{ ',' if not loop.last }}
            {% endfor %}
        ]) as reasons,
        fitted.base_rate,
        fitted.is_reliable,
        appointments.appointment_date >= fitted.held_out_from as is_held_out
    from appointments
    -- Both are one row.
    cross join weights
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
        {% for place in ['first', 'second'] %}
        case
            when reasons[{{ loop.index }}]['contribution'] > 0
                then reasons[{{ loop.index }}]['feature']
        end as {{ place }}_reason,
        {% endfor %}
        columns('^contribution_')
    from scored
)

select * from final
