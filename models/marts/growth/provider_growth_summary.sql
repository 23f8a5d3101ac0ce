-- What the feeds say of each provider, and what the model expects: with how far to trust it.
{{ config(post_hook="{{ export_to('growth/provider_summary') }}") }}

with metrics as (
    select * from {{ ref('provider_metrics') }}
),

predictions as (
    select * from {{ ref('opportunity_predictions') }}
),

final as (
    select
        metrics.*,
        predictions.predicted as predicted_opportunity_value,
        predictions.low as predicted_opportunity_value_low,
        predictions.high as predicted_opportunity_value_high,
        predictions.is_reliable,
        predictions.verdict
    from metrics
    -- A provider is in predictions once.
    left join predictions on metrics.provider_key = predictions.provider_key
)

select * from final
order by total_patients desc, provider_name, provider_key
