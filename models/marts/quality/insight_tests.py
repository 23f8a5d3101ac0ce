<<<<<<< HEAD
"""Tests what people say of the data against what the data bear out."""
=======
"""Asks whether the data bear out what people say of them."""
>>>>>>> 1cc16d3 (Telehealth's tests build without unit tests, which the build of the sample runs: a third of the time)


def model(dbt, session):
    """Test every statement of the seed insight_definitions. One row per statement with data."""
    dbt.config(materialized="table")
    from wardhouse.insights import judge_insights

    statistics = dbt.ref("telehealth_insight_statistics").df().assign(area="telehealth")
    definitions = dbt.ref("insight_definitions").df()
    minimum = int(dbt.config.meta_get("minimum_group_size"))
    return judge_insights(statistics, definitions, minimum)
