"""What the API answers of all areas together."""

from wardhouse.routes import Route, same

ROUTES = (
    Route(
        "/v1/insights",
        "quality.insights",
        "Statements with the evidence for them.",
        filters=same("area", "insight", "metric", "is_significant"),
    ),
    Route(
        "/v1/alerts",
        "quality.alerts",
        "What needs attention.",
        filters=same("area", "alert_type", "severity", "metric"),
    ),
)
