"""Fits how far to trust what is known of a provider."""


def model(dbt, session):
    """Fit and score the ranking. One row per fitted parameter, metric or setting."""
    dbt.config(materialized="table")
    from wardhouse.areas.telehealth.provider_match import fit_match

    columns = (
        "appointment_id, appointment_date, scheduled_minute_of_day, provider_key, specialty, "
        "day_part, device_type, overall_satisfaction::double as overall_satisfaction"
    )
    visits = dbt.ref("provider_match_features").project(columns)
    return fit_match(
        visits.order("appointment_date, scheduled_minute_of_day, appointment_id").df(),
        train_share=float(dbt.config.meta_get("train_share")),
    )
