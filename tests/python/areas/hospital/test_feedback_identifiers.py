"""Survey answers that the survey gives an identifier."""

HEADER = "patient_id,patient_feedback_score,review_date,feedback_id\n"
ROWS = [
    "P1,4,2025-03-01,F1",
    "P1,4,2025-03-01,F2",  # another answer of the same day and score
    "P1,4,2025-03-01,F2",  # the same, delivered twice
    "P2,4,2025-03-01,",
    "P2,4,2025-03-01,",  # without identifiers nothing tells two
    "P3,4,,F3",
    "P3,4,,F3",
    "P4,4,,",
    "P4,4,,",
]


def test_two_identifiers_are_two_answers_and_one_is_one(dbt, tmp_path):
    folder = tmp_path / "raw" / "hospital"
    folder.mkdir(parents=True)
    (folder / "patient_feedback.csv").write_text(HEADER + "\n".join(ROWS) + "\n")
    (folder / "doctors_info.csv").write_text("doctor_id,doctor_name,specialty\nD1,One,Urology\n")
    (folder / "patients_data_with_doctor.csv").write_text(
        "treatment_id,patient_id,doctor_id,treatment_type,treatment_cost,room_cost,treatment_date\n"
        "T1,P1,D1,Surgery,10,0,2025-03-01\n"
    )
    outcome = dbt(
        tmp_path / "raw", tmp_path, "build", "--select", "+patient_feedback_totals",
        "--exclude-resource-types", "test", "unit_test", areas="hospital",
    )  # fmt: skip
    assert outcome.success, outcome.message
    assert outcome.query(
        "select patient_id, n_feedback from core.patient_feedback_totals order by all"
    ) == [("P1", 2), ("P2", 1), ("P3", 1), ("P4", 2)]
    [(n, n_keys)] = outcome.query(
        "select count(*), count(distinct patient_feedback_key) from core.fct_patient_feedback"
    )
    assert n == n_keys == 6
