"""Fits the ridge regression behind the forecast of a visit's length."""


def model(dbt, session):
    """Fit on visits that took place. One row per fitted parameter, metric or setting."""
    dbt.config(materialized="table")
    from wardhouse.areas.telehealth.duration import fit_duration

    features = dbt.ref("appointment_duration_features")
    return fit_duration(
        features.order("appointment_date, scheduled_minute_of_day, appointment_id").df(),
        seed=int(dbt.config.meta_get("random_seed")),
        train_share=float(dbt.config.meta_get("train_share")),
        max_rows=int(dbt.config.meta_get("fit_max_rows")),
    )
