"""The opportunity of the real providers: what SQL scores is what scikit-learn predicts."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

STRENGTHS = np.logspace(-2, 4, 25)
CENT = 0.005 + 1e-6  # an amount is rounded to the cent


def fresh():
    return make_pipeline(StandardScaler(), RidgeCV(STRENGTHS))


@pytest.fixture(params=["growth_real", "growth_informatics"])
def warehouse(request):
    return request.getfixturevalue(request.param)


def learned_from(warehouse) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the predictions by provider, and features and target as they were learned from."""
    predictions = warehouse.frame("from ml.opportunity_predictions order by provider_key")
    features = warehouse.frame("from ml.opportunity_features").pivot(
        index="provider_key", columns="feature", values="value"
    )
    assert features.notna().all(axis=None)
    assert features.index.tolist() == predictions["provider_key"].tolist()
    return predictions, features.to_numpy(float), predictions["target"].to_numpy(float)


def test_every_prediction_equals_scikit_learns_to_the_cent(warehouse):
    predictions, values, target = learned_from(warehouse)
    expected = fresh().fit(values, target).predict(values).clip(min=0)
    others = cross_val_predict(fresh(), values, target, cv=LeaveOneOut())
    assert predictions["predicted"].to_numpy(float) == pytest.approx(expected, abs=CENT)
    assert predictions["predicted_by_others"].to_numpy(float) == pytest.approx(
        others.clip(min=0), abs=CENT
    )


def test_every_interval_is_jackknife_plus_and_holds_no_negative_amount(warehouse):
    predictions, values, target = learned_from(warehouse)
    n = len(target)
    low, high = np.empty((n, n)), np.empty((n, n))
    for left_out in range(n):
        others = np.arange(n) != left_out
        predicted = fresh().fit(values[others], target[others]).predict(values)
        error = abs(target[left_out] - predicted[left_out])
        low[left_out], high[left_out] = predicted - error, predicted + error
    # At n = 8 and n = 5 the level of 0.8 takes the outermost of all ends.
    assert n in (5, 8)
    assert predictions["low"].to_numpy(float) == pytest.approx(
        low.min(axis=0).clip(min=0), abs=CENT
    )
    assert predictions["high"].to_numpy(float) == pytest.approx(high.max(axis=0), abs=CENT)
    assert predictions["interval_reason"].isna().all()


def test_coefficients_are_those_of_scikit_learn(growth_real):
    _, values, target = learned_from(growth_real)
    scaler, regression = fresh().fit(values, target)
    found = growth_real.frame("from ml.opportunity_coefficients order by feature")
    assert found["feature"].tolist() == ["contact_count", "total_patients"]
    assert found["amount_per_deviation"].tolist() == pytest.approx(list(regression.coef_))
    assert found["amount_per_unit"].tolist() == pytest.approx(
        list(regression.coef_ / scaler.scale_)
    )
    assert found["n_fitted"].tolist() == [8, 8]


def test_the_verdict_is_that_of_the_raw_files(growth_real, growth_raw):
    """From the files alone: patients and contacts foretell no better than the mean, or by luck."""
    encounters = pd.read_csv(growth_raw / "growth" / "sg2_patient_flow.csv")
    crm = pd.read_csv(growth_raw / "growth" / "salesforce_crm.csv", index_col="provider_name")
    patients = encounters.groupby("referral_provider")["patient_id"].nunique()
    values = crm.assign(patients=patients)[["contact_count", "patients"]].to_numpy(float)
    target = crm["opportunity_value"].to_numpy(float)
    errors = abs(target - cross_val_predict(fresh(), values, target, cv=LeaveOneOut()))
    plain = [abs(value - np.delete(target, at).mean()) for at, value in enumerate(target)]
    (metrics,) = growth_real.query(
        "select map_from_entries(list((feature, value))) from ml.opportunity_fit "
        "where component = 'metric'"
    )[0]
    assert metrics["mae"] == pytest.approx(errors.mean())
    assert metrics["mae_of_mean"] == pytest.approx(np.mean(plain))
    assert round(metrics["mae_of_mean"]) == 111_811
    ((verdict, is_reliable),) = growth_real.query(
        "select distinct verdict, is_reliable from ml.opportunity_predictions"
    )
    assert f"are missed by {errors.mean():,.0f} on average" in verdict
    assert not is_reliable


def test_five_providers_prove_nothing_and_the_summary_says_so(growth_informatics):
    rows = growth_informatics.query(
        "select is_reliable, verdict, predicted_opportunity_value "
        "from growth.provider_growth_summary"
    )
    assert len(rows) == 5
    for is_reliable, verdict, predicted in rows:
        assert not is_reliable
        assert "fewer than 8 prove nothing" in verdict
        assert predicted >= 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"growth_opportunity_features": ["total_patients", "deals_value"]},
            "growth_opportunity_features names deals_value, which is made of a target",
        ),
        (
            {"growth_opportunity_features": ["pipeline_roi", "value_per_patient", "beds"]},
            "names pipeline_roi, value_per_patient, beds, which",
        ),
        ({"growth_opportunity_features": []}, "growth_opportunity_features names nothing"),
        (
            {"growth_opportunity_target": "total_patients"},
            "growth_opportunity_target is total_patients: take opportunity_value or deals_value",
        ),
        (
            {"growth_prediction_level": 80},
            "growth_prediction_level is 80: give a share between 0 and 1, such as 0.8",
        ),
    ],
)
def test_a_setting_that_foretells_nothing_is_refused_with_its_cure(
    dbt, growth_real, growth_raw, tmp_path, settings, message
):
    select = ["compile", "--select", "opportunity_features", "--vars", json.dumps(settings)]
    outcome = dbt(growth_raw, tmp_path, *select, areas="growth")
    assert not outcome.success
    assert message in outcome.message
