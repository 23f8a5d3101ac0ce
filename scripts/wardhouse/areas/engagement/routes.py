"""What the API answers of engagement."""

from wardhouse.routes import Route, same

ROUTES = (
    Route(
        "/v1/personas",
        "ml.persona_validation",
        "Whether patients and physicians form groups, and how many.",
        filters=same("person_type", "is_reliable"),
    ),
)
