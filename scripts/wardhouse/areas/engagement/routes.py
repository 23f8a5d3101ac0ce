"""What the API answers of engagement."""

from wardhouse.routes import Route, same

ROUTES = (
    Route(
        "/v1/personas",
        "engagement.persona_profiles",
        "Personas of patients and physicians: their shares, what tells them apart, how reliable.",
        filters=same("person_type", "persona_name", "segment", "is_reliable"),
        ranges=("n_people", "share"),
    ),
    Route(
        "/v1/persona-sizes",
        "engagement.persona_sizes",
        "Personas and how many people each has.",
        filters=same("person_type", "persona_name"),
    ),
)
