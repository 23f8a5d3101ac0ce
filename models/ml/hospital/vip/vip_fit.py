"""Fits the scaler and the two centroids that tell VIP patients from others."""


def model(dbt, session):
    """Fit K-Means on the VIP features. One row per fitted parameter, metric or setting."""
    dbt.config(materialized="table")
    from wardhouse.areas.hospital.vip import FEATURES, fit_vip
    from wardhouse.ml.kept import last_table

    columns = ", ".join(f"{name}::double as {name}" for name in FEATURES)
    patients = dbt.ref("vip_features").order("patient_key").project(f"patient_key, {columns}")
    return fit_vip(
        patients.fetchnumpy(),
        seed=int(dbt.config.meta_get("vip_random_seed")),
        max_rows=int(dbt.config.meta_get("vip_fit_max_rows")),
        null_max_rows=int(dbt.config.meta_get("vip_null_max_rows")),
        last=last_table(session, dbt.this),
    ).parameters
