"""What the API answers of telehealth."""

from wardhouse.routes import Route, same

ROUTES = (
    Route(
        "/v1/telehealth/summary",
        "telehealth.appointment_status_summary",
        "Appointments by how they ended, with their shares and waits.",
        filters=same("appointment_status", "is_successful"),
    ),
)
