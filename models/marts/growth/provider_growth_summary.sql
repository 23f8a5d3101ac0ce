-- What the feeds say of each provider, and what the model expects: with how far to trust it.
{{ config(post_hook=[
    "{{ export_to('growth/provider_summary') }}",
    "{{ export_to('growth/provider_merged_summary_informatics', needs_feed='inventory_usage') }}",
]) }}

with metrics as (
    select * from {{ ref('provider_metrics') }}
),

predictions as (
    select * from {{ ref('opportunity_predictions') }}
),

final as (
    select
        metrics.*,
        predictions.target_name as prediction_target,
        predictions.predicted as predicted_opportunity_value,
        predictions.low as prediction_low,
        predictions.high as prediction_high,
        predictions.is_reliable,
        predictions.verdict
    from metrics
    -- A provider is in predictions once.
    left join predictions on metrics.provider_key = predictions.provider_key
)

select * from final
order by total_patients desc, provider_name asc, provider_key asc
