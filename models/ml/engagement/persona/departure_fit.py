"""Fits who leaves until the next date, and holds it against the risk by weights."""


def model(dbt, session):
    """Fit on profiles whose person stayed or left. One row per person type and fitted value."""
    dbt.config(materialized="table")
    from wardhouse.areas.engagement.departures import fit_departures

    known = dbt.ref("departure_features").filter(
        "has_left is not null and risk_by_weights is not null and feature_values is not null"
    )
    return fit_departures(
        known.order("person_type, as_of_date, person_key").df(),
        seed=int(dbt.config.meta_get("random_seed")),
        max_rows=int(dbt.config.meta_get("metric_max_rows")),
    )
