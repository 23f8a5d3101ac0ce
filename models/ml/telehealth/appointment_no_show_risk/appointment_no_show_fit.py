"""Fits the logistic regression behind the risk of a no-show."""


def model(dbt, session):
    """Fit on what is known at booking. One row per fitted parameter, metric or setting."""
    dbt.config(materialized="table")
    from wardhouse.areas.telehealth.no_show import fit_no_show

    features = dbt.ref("appointment_no_show_features")
    return fit_no_show(
        features.order("appointment_date, scheduled_minute_of_day, appointment_id").df(),
        seed=int(dbt.config.meta_get("random_seed")),
        train_share=float(dbt.config.meta_get("train_share")),
        max_rows=int(dbt.config.meta_get("fit_max_rows")),
    )
