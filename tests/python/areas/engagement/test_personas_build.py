"""Personas of the built sample, against the planted truth; of a real survey, against nothing."""

import json

import numpy as np
import pandas as pd
import pytest
from builds import PROJECT, shared_data
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_samples,
)
from sklearn.preprocessing import StandardScaler
from wardhouse.ml.k_means import fit_k_means
from wardhouse.ml.stability import stratified

TYPES = ("patient", "physician")
DAYS = ["2024-09-30", "2024-12-31", "2025-03-31", "2025-06-30"]


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    """Return the group of each person on each day, null where the person was not there."""
    planted = pd.read_csv(PROJECT / "tests/truth/engagement/persons.csv", index_col="person_id")
    return planted.rename(columns=lambda name: name.removeprefix("group_"))


@pytest.fixture(scope="module")
def checks(sample) -> pd.DataFrame:
    return sample.frame("from ml.persona_validation").set_index("person_type")


def members(sample, table: str, person_type: str) -> pd.DataFrame:
    return sample.frame(
        f"select distinct person_id, found.* from ml.{table} as found "
        f"join core.fct_engagement using (person_key) where found.person_type = '{person_type}'"
    ).set_index("person_id")


@pytest.mark.parametrize("person_type", TYPES)
def test_planted_groups_are_found_and_called_reliable(checks, person_type):
    found = checks.loc[person_type]
    assert found["k"] == 5
    assert found["silhouette"] > 0.5
    assert found["bootstrap_ari"] > 0.9
    assert found["copula_p"] <= 0.05
    assert found["is_reliable"]


@pytest.mark.parametrize("person_type", TYPES)
def test_members_are_those_of_the_planted_groups(sample, truth, person_type):
    found = members(sample, "persona_members", person_type)
    newest = truth[DAYS].ffill(axis=1)[DAYS[-1]].reindex(found.index)
    assert newest.notna().all()
    assert adjusted_rand_score(newest, found["persona_number"]) >= 0.9


@pytest.mark.parametrize("person_type", TYPES)
def test_planted_migrants_move_and_others_stay(sample, truth, person_type):
    positions = members(sample, "persona_positions", person_type)
    found = positions.set_index("as_of_date", append=True)["persona_number"].unstack()
    found.columns = [f"{day:%Y-%m-%d}" for day in pd.to_datetime(found.columns)]
    both = found[[DAYS[0], DAYS[-1]]].dropna().index
    planted = truth.loc[both]
    both = both[planted[[DAYS[0], DAYS[-1]]].notna().all(axis=1)]
    has_moved = truth.loc[both, DAYS[0]] != truth.loc[both, DAYS[-1]]
    is_seen = found.loc[both, DAYS[0]] != found.loc[both, DAYS[-1]]
    assert has_moved.sum() >= 5
    assert is_seen[has_moved].mean() > 0.8
    assert is_seen[~has_moved].mean() < 0.05


@pytest.mark.parametrize("person_type", TYPES)
def test_the_scaled_features_of_the_fit_have_mean_0_and_deviation_1(sample, person_type):
    vectors = sample.frame(
        "select features, feature_values from ml.persona_vectors "
        f"where is_current and is_in_fit and person_type = '{person_type}'"
    )
    values = np.stack(vectors["feature_values"])
    names = list(vectors["features"].iloc[0])
    fit = sample.frame(f"from ml.persona_fit where person_type = '{person_type}'")
    mean, scale = (
        fit[fit["component"] == f"scaler_{name}"].set_index("feature")["value"][names].to_numpy()
        for name in ("mean", "scale")
    )
    scaled = (values - mean) / scale
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-9)


def test_both_fits_are_among_the_models_runs(sample):
    runs = sample.frame("from ml.model_runs where task like 'persona%'").set_index("task")
    assert sorted(runs.index) == ["persona_patient", "persona_physician"]
    assert (runs["score"] > runs["baseline_score"]).all()
    assert json.loads(runs.loc["persona_patient", "metrics"])["k"] == 5


def test_no_table_gives_a_p_value_to_a_feature_that_made_the_groups(sample):
    """It would be circular: personas are tested against columns that did not make them."""
    tables = sample.frame("""
        select table_name, list(column_name) as columns
        from duckdb_columns() where schema_name in ('ml', 'engagement')
        group by table_name having contains(columns, 'feature') and table_name like 'persona%'
    """)
    assert {"persona_fit", "persona_feature_checks", "persona_feature_profiles"} <= set(
        tables["table_name"]
    )
    for each in tables.itertuples():
        assert not [name for name in each.columns if "p_value" in name], each.table_name
    fit = sample.frame("from ml.persona_fit")
    p_values = fit[
        fit["feature"].str.contains(r"_p$|p_value") | fit["component"].str.contains("_p")
    ]
    assert set(p_values["feature"]) == {"copula_p"}


SURVEY = ["Additional_charges", "Doc_visits", "Initial_days", "TotalCharge"]


@pytest.fixture(scope="module")
def survey(dbt, tmp_path_factory):
    """Return the warehouse of a real survey, whose columns are features by settings alone."""
    place = tmp_path_factory.mktemp("survey")
    folder = place / "raw" / "engagement"
    folder.mkdir(parents=True)
    file = shared_data("engagement") / "patient_survey.csv"
    (folder / "healthcare_data.csv").symlink_to(file)
    settings = {
        "persona_features": SURVEY,
        "persona_outside_columns": ["Age", "Gender"],
        "persona_outlier_treatment": "none",
    }
    select = ["--select", "+persona_members", "+persona_validation", "--vars", json.dumps(settings)]
    outcome = dbt(
        place / "raw", place, "build", "--resource-type", "model", *select, areas="engagement"
    )
    assert outcome.success, outcome.message
    return outcome


@pytest.mark.system
def test_every_figure_of_a_real_surveys_selection_is_that_of_scikit_learn(survey):
    vectors = survey.frame("from ml.persona_vectors order by person_key")
    values = np.stack(vectors["feature_values"])
    file = shared_data("engagement") / "patient_survey.csv"
    raw = pd.read_csv(file)[SURVEY].sort_values(SURVEY).to_numpy(float)
    np.testing.assert_allclose(values[np.lexsort(values.T[::-1])], raw)
    scaled = StandardScaler().fit_transform(values)
    found = survey.frame("from ml.persona_k_selection order by k")
    assert found["k"].tolist() == list(range(2, 11))
    for row in found.itertuples():
        fit = KMeans(row.k, n_init=10, max_iter=1000, tol=0, random_state=42).fit(scaled)
        labels, sizes = fit.labels_, np.bincount(fit.labels_)
        assert row.sse == pytest.approx(fit.inertia_, rel=1e-9)
        expected = calinski_harabasz_score(scaled, labels)
        assert row.calinski_harabasz == pytest.approx(expected, rel=1e-9)
        expected = davies_bouldin_score(scaled, labels)
        assert row.davies_bouldin == pytest.approx(expected, rel=1e-9)
        assert row.smallest_cluster == sizes.min()
        some = stratified(labels, 5000, seed=42)
        of_rows = silhouette_samples(scaled[some], labels[some])
        means = [of_rows[labels[some] == cluster].mean() for cluster in range(row.k)]
        assert row.silhouette == pytest.approx(sizes @ means / sizes.sum(), abs=1e-9)
    assert found.loc[found["is_chosen"], ["k", "chosen_by"]].to_numpy().tolist() == [[2, "rule"]]


@pytest.mark.system
def test_members_of_a_real_survey_are_what_scikit_learn_predicts(survey):
    vectors = survey.frame("from ml.persona_vectors order by person_key")
    values = np.stack(vectors["feature_values"])
    fit = fit_k_means(values, 2, 42)
    found = survey.frame("from ml.persona_members order by person_key")
    assert adjusted_rand_score(fit.predict(values), found["persona_number"]) == 1
    np.testing.assert_allclose(found["distance"], fit.transform(values).min(axis=1), rtol=1e-9)
    [(task_k, p_value)] = survey.query("select k, copula_p from ml.persona_validation where k > 1")
    assert (task_k, p_value) == (2, 0.01)
