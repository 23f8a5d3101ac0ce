"""Fits the personas of patients and of physicians, and how far they can be relied on."""


def model(dbt, session):
    """Fit the chosen k of each person type. One row per fitted value."""
    dbt.config(materialized="table")
    from wardhouse.areas.engagement.k_selection import Settings
    from wardhouse.areas.engagement.vectors import fit_all
    from wardhouse.ml.kept import last_table

    members = "person_type, person_key, persona_number"
    return fit_all(
        dbt.ref("persona_vectors"),
        selection=dbt.ref("persona_k_selection").df(),
        last_fit=last_table(session, dbt.this),
        last_members=last_table(session, dbt.this, "persona_members", members),
        settings=Settings.of(dbt.config.meta_get("settings")),
    )
