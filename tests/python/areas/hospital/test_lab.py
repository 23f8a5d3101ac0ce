"""The lab's published figures, on the lab's own files, and an independent recomputation."""

import json
from decimal import Decimal

import pandas as pd
import pytest
from builds import shared_data

TOP_FIVE = [
    ("D039", "Medical sales representative", "160905.05", "2.94"),
    ("D042", "Retail buyer", "159369.34", "2.83"),
    ("D018", "Advertising art director", "134953.36", "2.90"),
    ("D040", "Health visitor", "132596.89", "2.58"),
    ("D012", "Automotive engineer", "131264.42", "3.40"),
]


@pytest.fixture(scope="module")
def raw():
    """Return the lab's three files as pandas reads them."""
    folder = shared_data("hospital_lab")
    treatments = pd.read_csv(folder / "patients_data_with_doctor.csv")
    doctors = pd.read_csv(folder / "doctors_info.csv")
    feedback = pd.DataFrame(json.loads((folder / "patient_feedback.json").read_text()))
    treatments["revenue"] = (treatments.treatment_cost + treatments.room_cost).round(2)
    scores = feedback.groupby("patient_id").patient_feedback_score.mean()
    treatments["feedback"] = treatments.patient_id.map(scores)
    return treatments, doctors, feedback


def test_top_five_doctors_are_those_the_lab_published(lab):
    rows = lab.query(
        "select doctor_id, specialty, total_revenue, avg_feedback from hospital.top_doctors "
        "order by revenue_rank"
    )
    assert rows == [(d, s, Decimal(r), Decimal(f)) for d, s, r, f in TOP_FIVE]


def test_only_d012_is_to_promote_and_no_low_one_is_significantly_low(lab):
    rows = lab.query(
        "select doctor_id, feedback_position, action, evidence from hospital.top_doctors"
    )
    assert [r[0] for r in rows if r[2] == "Promote and reward"] == ["D012"]
    assert {r[3] for r in rows if r[1] == "low"} == {"no significant difference"}


def test_known_treatment_brings_the_known_revenue(lab):
    rows = lab.query(
        "select patient_id, doctor_id, total_revenue from hospital.processed_healthcare_data "
        "where treatment_id = 'T0001'"
    )
    assert rows == [("P0067", "D006", Decimal("4656.11"))]


def test_vip_patients_are_those_the_lab_found(lab):
    status = dict(lab.query("select patient_id, vip_status from ml.patient_vip"))
    assert sum(value == "VIP" for value in status.values()) == 207
    assert [status[p] for p in ("P0067", "P0006", "P0637", "P0314")] == ["Non-VIP"] * 4
    assert status["P0326"] == "VIP"


def test_nothing_is_rejected_or_duplicated(lab):
    rows = lab.query(
        "select feed, n_raw, n_accepted, n_rejected, n_duplicates from quality.feed_reconciliation "
        "where area = 'hospital' order by feed"
    )
    assert rows == [
        ("doctors_info", 50, 50, 0, 0),
        ("patient_feedback", 1000, 1000, 0, 0),
        ("patients_data_with_doctor", 1000, 1000, 0, 0),
    ]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("data_warehouse/processed_healthcare_data", 13),
        ("reverse_etl_output/enriched_healthcare_data", 14),
    ],
)
def test_exports_hold_every_treatment_in_both_formats(lab, name, columns):
    text = pd.read_csv(lab.exports / f"{name}.csv")
    parquet = pd.read_parquet(lab.exports / f"{name}.parquet")
    assert text.shape == parquet.shape == (1000, columns)
    assert list(text.columns) == list(parquet.columns)
    assert text.total_revenue.sum() == pytest.approx(float(parquet.total_revenue.sum()))


def test_ranking_equals_an_independent_recomputation(lab, raw):
    treatments, doctors, _ = raw
    expected = treatments.groupby("doctor_id").agg(
        total_revenue=("revenue", "sum"),
        avg_feedback=("feedback", "mean"),
        n_treatments=("treatment_id", "size"),
        n_patients=("patient_id", "nunique"),
    )
    found = lab.frame("from hospital.doctor_revenue_ranking").set_index("doctor_id")
    found = found.loc[expected.index]
    assert len(found) == len(doctors) == 50
    assert (found.total_revenue.astype(float) - expected.total_revenue).abs().max() < 0.005
    assert (found.avg_feedback.astype(float) - expected.avg_feedback).abs().max() <= 0.005 + 1e-9
    assert (found.n_treatments == expected.n_treatments).all()
    assert (found.n_patients == expected.n_patients).all()
    rank = expected.total_revenue.rank(method="min", ascending=False).astype(int)
    assert (found.revenue_rank == rank).all()
    assert found.revenue_share.sum() == pytest.approx(1)


def test_feedback_standard_error_is_that_of_a_cluster_bootstrap(lab, raw):
    """The closed form agrees with resampling patients, within the bootstrap's own error."""
    import numpy as np

    treatments, _, _ = raw
    generator = np.random.default_rng(7)
    for doctor in ("D039", "D042", "D012"):
        own = treatments[treatments.doctor_id == doctor]
        patients = own.groupby("patient_id").feedback.agg(["size", "sum"]).to_numpy()
        drawn = patients[generator.integers(len(patients), size=(4000, len(patients)))]
        bootstrap = (drawn[:, :, 1].sum(axis=1) / drawn[:, :, 0].sum(axis=1)).std()
        [(error,)] = lab.query(
            "select feedback_standard_error from hospital.doctor_revenue_ranking "
            f"where doctor_id = '{doctor}'"
        )
        assert float(error) == pytest.approx(bootstrap, rel=0.1)


def test_evidence_equals_scipy_on_the_raw_patients(lab, raw):
    from scipy import stats

    treatments, _, _ = raw
    scores = treatments.drop_duplicates("patient_id").set_index("patient_id").feedback
    found = dict(lab.query("select doctor_id, p_value from hospital.top_doctors"))
    for doctor, p_value in found.items():
        own = treatments[treatments.doctor_id == doctor].patient_id.unique()
        expected = stats.ttest_ind(scores[own], scores.drop(own), equal_var=False).pvalue
        assert p_value == pytest.approx(expected, abs=1e-6)


def test_revenue_by_month_equals_an_independent_recomputation(lab, raw):
    treatments, _, _ = raw
    month = pd.to_datetime(treatments.treatment_date).dt.to_period("M").dt.to_timestamp()
    expected = treatments.groupby(["doctor_id", month.rename("month_start_date")]).revenue.sum()
    found = lab.frame("from hospital.revenue_by_month")
    found = found.set_index(["doctor_id", "month_start_date"]).total_revenue.astype(float)
    assert len(found) == len(expected)
    assert (found - expected).abs().max() < 0.005


def test_coverage_is_complete_as_every_lab_patient_answered(lab, raw):
    treatments, _, feedback = raw
    assert set(treatments.patient_id) <= set(feedback.patient_id)
    rows = lab.query("select distinct feedback_coverage_rate from hospital.feedback_coverage")
    assert rows == [(1.0,)]
