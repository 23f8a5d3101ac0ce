"""What the API answers of hospital."""

from wardhouse.routes import Route, same

ROUTES = (
    Route(
        "/v1/doctors/top",
        "hospital.top_doctors",
        "Doctors who bring most revenue, with what to do about each.",
        filters=same("doctor_id", "specialty", "action"),
    ),
)
