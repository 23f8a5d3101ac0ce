"""Fits K-Means for every number of personas, and chooses one."""


def model(dbt, session):
    """Measure each k and choose by the rule. One row per person type and k."""
    dbt.config(materialized="table")
    from wardhouse.areas.engagement.k_selection import Settings
    from wardhouse.areas.engagement.vectors import select_all

    return select_all(dbt.ref("persona_vectors"), Settings.of(dbt.config.meta_get("settings")))
