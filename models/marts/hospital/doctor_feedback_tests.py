"""Tests each doctor's feedback against that of all patients the doctor never treated."""


def model(dbt, session):
    """Test every doctor with enough patients. One row per doctor tested."""
    dbt.config(materialized="table")
    from wardhouse.areas.hospital.doctor_feedback import compare_doctors

    doctors = dbt.ref("doctor_feedback_statistics").df().sort_values("provider_key")
    minimum = int(dbt.config.meta_get("minimum_patients_for_test"))
    return compare_doctors(doctors, minimum_patients=minimum)
