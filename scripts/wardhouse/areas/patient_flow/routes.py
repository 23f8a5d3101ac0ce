"""What the API answers of patient flow."""

from wardhouse.routes import Route, same

WHERE = same("hospital_id", "department")
ROUTES = (
    Route(
        "/v1/patient-flow/pressure",
        "patient_flow.department_pressure",
        "Departments by hour of the day: arrivals, beds in use, waits.",
        filters=WHERE,
        ranges=("hour_of_day", "pressure"),
    ),
    Route(
        "/v1/patient-flow/now",
        "patient_flow.department_now",
        "Departments as they are now, by the newest event of the stream.",
        filters=WHERE,
        is_live=True,
    ),
    Route(
        "/v1/patient-flow/last-48-hours",
        "patient_flow.last_48_hours",
        "Departments by hour, up to the newest event of the stream.",
        filters=WHERE,
        is_live=True,
    ),
)
