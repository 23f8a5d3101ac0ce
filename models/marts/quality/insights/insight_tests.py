"""Tests what people say of the data against what the data bear out."""


def model(dbt, session):
    """Test every statement of the seed insight_definitions. One row per statement with data."""
    dbt.config(materialized="table")
    import pandas as pd
    from wardhouse.quality.insights import judge_insights

    telehealth = dbt.ref("telehealth_insight_statistics").df().assign(area="telehealth")
    patient_flow = dbt.ref("patient_flow_insight_statistics").df().assign(area="patient_flow")
    statistics = pd.concat([telehealth, patient_flow], ignore_index=True)
    definitions = dbt.ref("insight_definitions").df()
    minimum = int(dbt.config.meta_get("minimum_group_size"))
    return judge_insights(statistics, definitions, minimum)
