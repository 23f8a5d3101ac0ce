"""Fits the ridge regression behind the prediction of a provider's opportunity."""


def model(dbt, session):
    """Fit on providers whose target and features are known. One row per fitted value."""
    dbt.config(materialized="table")
    from wardhouse.areas.growth.opportunity import fit_opportunity

    return fit_opportunity(
        dbt.ref("opportunity_features").df(),
        target=str(dbt.config.meta_get("target")),
        level=float(dbt.config.meta_get("level")),
        seed=int(dbt.config.meta_get("random_seed")),
        max_rows=int(dbt.config.meta_get("fit_max_rows")),
    )
