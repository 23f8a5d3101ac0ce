-- The fitted scaler and centroids side by side, for the scoring to read.
{% set features = ['total_revenue', 'n_visits', 'avg_spent', 'avg_feedback'] %}

with fitted as (
    select * from {{ ref('vip_fit') }}
),

final as (
    select
        {% for feature in features %}
        max(value) filter (component = 'scaler_mean' and feature = '{{ feature }}')
            as mean_{{ feature }},
        max(value) filter (component = 'scaler_scale' and feature = '{{ feature }}')
            as scale_{{ feature }},
        max(value) filter (cluster = 'VIP' and feature = '{{ feature }}') as vip_{{ feature }},
        max(value) filter (cluster = 'Non-VIP' and feature = '{{ feature }}')
            as other_{{ feature }},
        {% endfor %}
        coalesce(
            max(value) filter (feature = 'silhouette_out_of_sample')
            > max(value) filter (feature = 'silhouette_baseline'),
            false
        ) as is_reliable
    from fitted
    where not isnan(value)
)

select * from final
