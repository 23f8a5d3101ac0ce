-- Applies the fitted scaler and centroids. A patient is VIP when the VIP centroid is nearer; where
-- the fit found one cluster only, nobody is.
{{ config(materialized='view') }}

{% set features = ['total_revenue', 'n_visits', 'avg_spent', 'avg_feedback'] %}

with patients as (
    select * from {{ ref('vip_features') }}
),

fitted as (
    select * from {{ ref('vip_parameters') }}
),

scaled as (
    select
        patients.*,
        {% for feature in features %}
        (patients.{{ feature }} - fitted.mean_{{ feature }}) / fitted.scale_{{ feature }}
            as scaled_{{ feature }},
        power(scaled_{{ feature }} - fitted.vip_{{ feature }}, 2) as vip_square_{{ feature }},
        power(scaled_{{ feature }} - fitted.other_{{ feature }}, 2)
            as other_square_{{ feature }},
        other_square_{{ feature }} - vip_square_{{ feature }} as pull_{{ feature }},
        {% endfor %}
        fitted.is_reliable
    from patients
    -- fitted is one row.
    cross join fitted
),

measured as (
    select
        *,
        sqrt(
            {% for feature in features %}
            vip_square_{{ feature }}{{ ' +' if not loop.last }}
            {% endfor %}
        ) as distance_to_vip,
        sqrt(
            {% for feature in features %}
            other_square_{{ feature }}{{ ' +' if not loop.last }}
            {% endfor %}
        ) as distance_to_non_vip,
        coalesce(distance_to_vip < distance_to_non_vip, false) as is_vip
    from scaled
),

final as (
    select
        patient_key,
        patient_id,
        if(is_vip, 'VIP', 'Non-VIP') as vip_status,
        total_revenue,
        n_visits,
        avg_spent,
        avg_feedback,
        is_feedback_imputed,
        distance_to_vip,
        distance_to_non_vip,
        distance_to_non_vip - distance_to_vip as margin,
        {% for feature in features %}
        pull_{{ feature }},
        {% endfor %}
        case
            {% for feature in features %}
            when if(is_vip, 1, -1) * pull_{{ feature }} = greatest(
                    {% for other in features %}
                    if(is_vip, 1, -1) * pull_{{ other }}{{ ',' if not loop.last }}
                    {% endfor %}
                ) then '{{ feature }}'
            {% endfor %}
        end as main_driver,
        is_reliable
    from measured
)

select * from final
