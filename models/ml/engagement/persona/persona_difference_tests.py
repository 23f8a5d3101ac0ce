"""Tests of personas against columns that did not make them."""


def model(dbt, session):
    """Test each outside column. One row per person type and column."""
    dbt.config(materialized="table")
    from wardhouse.areas.engagement.exploration import persona_differences

    return persona_differences(dbt.ref("persona_outside_values").df())
