"""Fits who leaves until the next date, and holds it against the risk by weights."""


def model(dbt, session):
    """Fit on profiles whose person stayed or left. One row per person type and fitted value."""
    dbt.config(materialized="table")
    from wardhouse.areas.engagement.departures import fit_departures, read_transitions

    return fit_departures(
        read_transitions(
            dbt.ref("departure_features"), max_people=int(dbt.config.meta_get("fit_max_rows"))
        ),
        seed=int(dbt.config.meta_get("random_seed")),
        max_rows=int(dbt.config.meta_get("metric_max_rows")),
    )
