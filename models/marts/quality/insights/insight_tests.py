"""Tests what people say of the data against what the data bear out."""


def model(dbt, session):
    """Test every statement of the seed insight_definitions. One row per statement with data."""
    dbt.config(materialized="table")
    from wardhouse.quality.insights import judge_insights

    statistics = dbt.ref("insight_statistics").df()
    definitions = dbt.ref("insight_definitions").df()
    minimum = int(dbt.config.meta_get("minimum_group_size"))
    return judge_insights(statistics, definitions, minimum)
