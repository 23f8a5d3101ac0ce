-- The fitted scaler and centroids side by side, for the scoring to read.
{% set features = ['total_revenue', 'n_visits', 'avg_spent', 'avg_feedback'] %}

with final as (
    {{ k_means_model('vip_fit', features, {'vip': 'VIP', 'other': 'Non-VIP'}) }}
)

select * from final
