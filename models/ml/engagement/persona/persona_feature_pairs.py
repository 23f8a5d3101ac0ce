"""Correlations of the features, and tests of whether one is missing by what another says."""


def model(dbt, session):
    """Compare the features in pairs. One row per person type and ordered pair of features."""
    dbt.config(materialized="table")
    from wardhouse.areas.engagement.exploration import feature_pairs
    from wardhouse.areas.engagement.vectors import first_people

    people = dbt.ref("persona_values").filter("is_current")
    people = first_people(people, int(dbt.config.meta_get("fit_max_rows")))
    return feature_pairs(people.project("person_type, person_key, feature, value").df())
