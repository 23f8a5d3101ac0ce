"""Values the members of each persona over the years to come."""


def model(dbt, session):
    """Value every persona, on average and with an interval. One row per persona."""
    dbt.config(materialized="table")
    from wardhouse.areas.engagement.lifetime import Horizon, persona_lifetimes

    members = dbt.ref("persona_members").project("person_type, person_key, persona_number")
    assumptions = dbt.ref("retention_assumptions").project("person_type, annual_retention")
    return persona_lifetimes(
        members.order("person_key").df(),
        dbt.ref("person_departures").order("person_key").df(),
        dict(assumptions.fetchall()),
        Horizon(
            years=float(dbt.config.meta_get("horizon_years")),
            discount_rate=float(dbt.config.meta_get("discount_rate")),
        ),
        minimum_people=int(dbt.config.meta_get("minimum_cell_size")),
        seed=int(dbt.config.meta_get("random_seed")),
    )
