"""Correlations of the features, and tests of whether one is missing by what another says."""


def model(dbt, session):
    """Compare the features in pairs. One row per person type and ordered pair of features."""
    dbt.config(materialized="table")
    from wardhouse.areas.engagement.exploration import feature_pairs

    people = dbt.ref("persona_values").filter("is_current")
    most = int(dbt.config.meta_get("fit_max_rows"))
    # Keys are hashes, so that the smallest are a sample, and the same one for any order of rows.
    places = "*, dense_rank() over (partition by person_type order by person_key) as place"
    people = people.project(places).filter(f"place <= {most}")
    return feature_pairs(people.project("person_type, person_key, feature, value").df())
