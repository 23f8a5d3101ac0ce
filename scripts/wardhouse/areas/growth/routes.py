"""What the API answers of growth."""

from wardhouse.routes import Route, same

ROUTES = (
    Route(
        "/v1/providers",
        "growth.provider_growth_summary",
        "Referring providers: volume, quality, cost, pipeline, claims and what a model expects.",
        filters=same("pipeline_stage", "is_reliable"),
        ranges=("n_encounters", "opportunity_value", "pipeline_roi", "denial_rate"),
        name="provider_name",
        aliases=("/providers",),
    ),
    Route(
        "/v1/predictions/opportunity",
        "ml.opportunity_predictions",
        "What the CRM's opportunity with a provider should be worth, and how far to trust that.",
        filters={"provider": "provider_name", "is_reliable": "is_reliable"},
    ),
    Route(
        "/v1/service-lines",
        "growth.service_line_summary",
        "Service lines: volume, quality, cost and whether they grow.",
        filters=same("service_line"),
        ranges=("n_encounters",),
    ),
    Route(
        "/v1/supplies",
        "growth.supply_position",
        "Stocks of providers, and which items are to be ordered.",
        filters={
            "provider": "provider_name",
            "item_name": "item_name",
            "is_at_reorder_point": "is_at_reorder_point",
        },
        ranges=("days_of_cover",),
    ),
)
