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

measured as (
    select
        patients.*,
        {% for feature in features %}
        {{ scaled_square(feature, 'vip') }} as vip_square_{{ feature }},
        {{ scaled_square(feature, 'other') }} as other_square_{{ feature }},
        other_square_{{ feature }} - vip_square_{{ feature }} as pull_{{ feature }},
        {% endfor %}
        sqrt({{ feature_sum('vip_square_', features) }}) as distance_to_vip,
        sqrt({{ feature_sum('other_square_', features) }}) as distance_to_non_vip,
        coalesce(distance_to_vip < distance_to_non_vip, false) as is_vip,
        fitted.is_reliable
    from patients
    -- fitted is one row.
    cross join fitted
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
        {{ strongest_pull(features, 'if(is_vip, 1, -1)') }} as main_driver,
        is_reliable
    from measured
)

select * from final
