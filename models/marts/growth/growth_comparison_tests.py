"""Tests each of growth's comparisons, adjusted for the number made side by side."""


def model(dbt, session):
    """Test every comparison. One row per comparison."""
    dbt.config(materialized="table")
    from wardhouse.areas.growth.comparisons import compare

    return compare(dbt.ref("growth_comparisons").df())
