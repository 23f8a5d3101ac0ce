"""VIP patients and doctors' evidence, against scikit-learn, SciPy, statsmodels and the truth."""

import random
import shutil

import duckdb
import numpy as np
import pandas as pd
import pytest
from builds import PROJECT, SAMPLE, Outcome, in_fast_suite
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from wardhouse.areas.hospital.doctor_feedback import compare_doctors
from wardhouse.areas.hospital.sample import generate_hospital
from wardhouse.areas.hospital.vip import FEATURES, NON_VIP, VIP, fit_vip
from wardhouse.ml.statistics import holm

pytestmark = pytest.mark.long

SETTINGS = {"seed": 42, "max_rows": 200_000, "null_max_rows": 300}
BUILD = ("build", "--exclude-resource-types", "test", "unit_test", "--select")
FIT = "select * replace (value::varchar as value) from ml.vip_fit"


def arrays(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Give a frame of features as `fit_vip` takes it."""
    columns = {name: frame[name].to_numpy(float) for name in FEATURES}
    return {"patient_key": frame["patient_key"].to_numpy("int64"), **columns}


def patients(rows) -> dict[str, np.ndarray]:
    """Make features of (revenue, visits, feedback) rows, keyed by position."""
    revenue, visits, feedback = np.array(rows, dtype=float).reshape(-1, 3).T
    return {
        "patient_key": np.arange(len(revenue)),
        "total_revenue": revenue,
        "n_visits": visits,
        "avg_spent": revenue / np.maximum(visits, 1),
        "avg_feedback": feedback,
    }


def fitted(fit, component: str, level: str | None = None) -> dict[str, float]:
    """Give the values of one component, by feature."""
    chosen = fit.parameters[fit.parameters.component == component]
    if level:
        chosen = chosen[chosen.level == level]
    return dict(zip(chosen.feature, chosen.value, strict=True))


@pytest.fixture(scope="module")
def large(dbt, tmp_path_factory):
    """Return a warehouse of 20,000 treatments."""
    place = tmp_path_factory.mktemp("large")
    generate_hospital(place / "raw", 20_000, seed=7)
    outcome = dbt(place / "raw", place, *BUILD, "+path:models/**/hospital")
    assert outcome.success, outcome.message
    return outcome


@pytest.fixture
def warehouse(name, request) -> Outcome:
    """Return a warehouse by its name."""
    return request.getfixturevalue(name)


@pytest.mark.parametrize("name", in_fast_suite(["lab", "sample", "large"], "lab", "sample"))
def test_labels_of_sql_are_those_of_scikit_learn(warehouse):
    features = warehouse.frame("from ml.vip_features")
    expected = pd.Series(fit_vip(arrays(features), **SETTINGS).labels, features.patient_key)
    found = warehouse.frame("select patient_key, vip_status from ml.patient_vip")
    found = found.set_index("patient_key").vip_status
    assert len(found) == len(expected) > 200
    assert found.to_dict() == expected.to_dict()
    assert 0.05 < (found == VIP).mean() < 0.5


@pytest.mark.parametrize("name", in_fast_suite(["sample", "large"], "sample"))
def test_distances_and_pulls_of_sql_are_those_of_the_centroids(warehouse):
    features = warehouse.frame("from ml.vip_features").sort_values("patient_key")
    found = warehouse.frame("from ml.patient_vip").sort_values("patient_key")
    fit = fit_vip(arrays(features), **SETTINGS)
    mean, scale = (
        pd.Series(fitted(fit, component)) for component in ("scaler_mean", "scaler_scale")
    )
    scaled = (features[list(FEATURES)].astype(float) - mean) / scale
    squares = {
        cluster: (scaled - pd.Series(fitted(fit, "centroid", cluster))) ** 2
        for cluster in (VIP, NON_VIP)
    }
    distance = {cluster: np.sqrt(square.sum(axis=1)) for cluster, square in squares.items()}
    np.testing.assert_allclose(found.distance_to_vip, distance[VIP], rtol=1e-9)
    np.testing.assert_allclose(found.distance_to_non_vip, distance[NON_VIP], rtol=1e-9)
    np.testing.assert_allclose(found.margin, distance[NON_VIP] - distance[VIP], atol=1e-9)
    pulls = squares[NON_VIP] - squares[VIP]
    for feature in FEATURES:
        np.testing.assert_allclose(found[f"pull_{feature}"], pulls[feature], atol=1e-9)
    towards = pulls.mul(np.where(found.vip_status == VIP, 1, -1), axis=0)
    assert (found.main_driver.to_numpy() == towards.idxmax(axis=1).to_numpy()).all()


@pytest.mark.parametrize("name", in_fast_suite(["lab", "sample", "large"], "lab", "sample"))
def test_vips_have_the_higher_mean_revenue(warehouse):
    means = dict(
        warehouse.query("select vip_status, avg(total_revenue) from ml.patient_vip group by all")
    )
    assert means[VIP] > means[NON_VIP]


def test_planted_vips_are_found_in_the_sample(sample):
    planted = set(pd.read_csv(PROJECT / "tests/truth/hospital/vip_patients.csv").patient_id)
    found = {
        row[0]
        for row in sample.query(
            "from ml.patient_vip select patient_id, vip_status where vip_status = 'VIP'"
        )
    }
    assert len(planted) == 20
    assert len(found & planted) / len(planted) >= 0.95  # recall
    assert len(found & planted) / len(found) >= 0.95  # precision
    assert sample.query("select distinct is_reliable from ml.patient_vip") == [(True,)]


@st.composite
def hospitals(draw):
    """Draw 4 to 60 patients of round figures: two groups that need not be far apart."""
    n = draw(st.integers(4, 60))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    is_rich = generator.random(n) < 0.3
    visits = generator.integers(1, 6, n) + 8 * is_rich
    revenue = np.round(generator.gamma(2, 400, n) * visits * (1 + is_rich), 2)
    feedback = generator.integers(4, 21, n) / 4
    order = generator.permutation(n)
    return patients(np.column_stack([revenue, visits, feedback])), order


@given(hospitals())
@settings(max_examples=6, deadline=None, derandomize=True)
def test_labels_stay_under_the_order_of_rows(drawn):
    features, order = drawn
    straight = fit_vip(features, **SETTINGS)
    shuffled = fit_vip({name: column[order] for name, column in features.items()}, **SETTINGS)
    assert (shuffled.labels == straight.labels[order]).all()
    pd.testing.assert_frame_equal(shuffled.parameters, straight.parameters, check_exact=True)


@given(
    hospitals(),
    st.sampled_from([0.01, 0.5, 1.1, 83.2, 1000]),
    st.sampled_from([(20, 0), (1, -3), (25, -25), (-1, 6)]),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_labels_stay_in_other_units(drawn, currency, score):
    """Money times a constant; scores in percent, centred, 0 to 100, and worst to best turned."""
    features, _ = drawn
    other = features | {
        "total_revenue": features["total_revenue"] * currency,
        "avg_spent": features["avg_spent"] * currency,
        "avg_feedback": features["avg_feedback"] * score[0] + score[1],
    }
    untested = SETTINGS | {"null_max_rows": 0}
    assert (fit_vip(other, **untested).labels == fit_vip(features, **untested).labels).all()


def test_no_patient_gives_settings_and_nothing_else():
    fit = fit_vip(patients([]), **SETTINGS)
    assert len(fit.labels) == 0
    assert set(fit.parameters.component) == {"metric", "setting"}
    assert fitted(fit, "metric") == {"n_patients": 0, "n_fitted": 0}


@pytest.mark.parametrize(
    "rows", [[(100, 1, 4)], [(100, 1, 4)] * 2, [(100, 2, 3)] * 40], ids=["one", "two", "forty"]
)
def test_patients_who_are_all_alike_are_one_cluster_without_vip(rows):
    fit = fit_vip(patients(rows), **SETTINGS)
    assert list(fit.labels) == [NON_VIP] * len(rows)
    assert fitted(fit, "centroid", NON_VIP) == dict.fromkeys(FEATURES, 0)
    assert fitted(fit, "centroid", VIP) == {}
    assert fitted(fit, "metric") == {
        "n_patients": len(rows),
        "n_fitted": len(rows),
        "inertia": 0,
        "n_draws": 0,
        "is_reliable": 0,
    }
    assert set(fitted(fit, "scaler_scale").values()) == {1}


def test_two_distinct_patients_are_told_apart_by_revenue():
    fit = fit_vip(patients([(100, 1, 5), (900, 1, 1)]), **SETTINGS)
    assert list(fit.labels) == [NON_VIP, VIP]


def test_a_constant_feature_tells_nobody_apart():
    rows = [(100 + n, 1, 3) for n in range(30)] + [(5000 + n, 1, 3) for n in range(10)]
    fit = fit_vip(patients(rows), **SETTINGS)
    assert list(fit.labels) == [NON_VIP] * 30 + [VIP] * 10
    for cluster in (VIP, NON_VIP):
        centroid = fitted(fit, "centroid", cluster)
        assert (centroid["avg_feedback"], centroid["n_visits"]) == (0, 0)


def test_above_the_maximum_a_seeded_sample_is_fitted():
    features = patients([(100 + n, 1, 3) for n in range(300)] + [(5000, 9, 5)] * 50)
    fit = fit_vip(features, seed=42, max_rows=100, null_max_rows=50)
    metrics = fitted(fit, "metric")
    assert (metrics["n_patients"], metrics["n_fitted"]) == (350, 100)
    assert len(fit.labels) == 0
    again = fit_vip(features, seed=42, max_rows=100, null_max_rows=50)
    pd.testing.assert_frame_equal(fit.parameters, again.parameters, check_exact=True)
    other = fit_vip(features, seed=43, max_rows=100, null_max_rows=50)
    assert fitted(fit, "scaler_mean") != fitted(other, "scaler_mean")


def drawn_patients(seed: int, n: int = 400) -> dict[str, np.ndarray]:
    """Draw patients without groups, whose revenue, visits and spending go together."""
    generator = np.random.default_rng(seed)
    wealth = generator.normal(size=n)
    visits = 1 + generator.poisson(np.exp(0.4 * wealth))
    revenue = visits * np.exp(5 + 0.5 * wealth + 0.5 * generator.normal(size=n))
    return patients(np.column_stack([revenue, visits, generator.integers(4, 21, n) / 4]))


def test_features_that_go_together_are_no_groups_and_groups_are():
    cloud = drawn_patients(3)
    groups = cloud | {name: cloud[name] + 60 * (np.arange(400) % 4 == 0) for name in FEATURES}
    found = [fitted(fit_vip(features, **SETTINGS), "metric") for features in (cloud, groups)]
    assert [each["is_reliable"] for each in found] == [0, 1]
    assert found[0]["copula_p"] > 0.05
    assert found[1]["copula_p"] <= 0.05
    for each in found:
        assert each["score"] == each["copula_statistic"]
        assert (each["score"] > each["baseline_score"]) == bool(each["is_reliable"])
        assert each["n_draws"] == 99


def test_the_test_is_kept_while_data_and_settings_stay():
    features = drawn_patients(4, n=60)
    first = fit_vip(features, **SETTINGS).parameters
    marked = first.assign(value=first.value.mask(first.feature == "copula_p", 0.03125))
    again = fit_vip(features, **SETTINGS, last=marked)
    assert fitted(again, "metric") == fitted(fit_vip(features, **SETTINGS), "metric") | {
        "copula_p": 0.03125,
        "is_reliable": 1,
    }
    changed = features | {"avg_feedback": features["avg_feedback"] + 1 * (np.arange(60) == 7)}
    for data, other in ((changed, {}), (features, {"seed": 43}), (features, {"null_max_rows": 50})):
        fit = fit_vip(data, **(SETTINGS | other), last=marked)
        assert fitted(fit, "metric")["copula_p"] != 0.03125


def test_the_labs_vips_stay_and_are_not_said_to_be_groups(lab):
    statuses = lab.query(
        "select vip_status, count(*), bool_or(is_reliable) from ml.patient_vip group by all"
    )
    assert (VIP, 207, False) in statuses
    found = dict(lab.query("select feature, value from ml.vip_fit where component = 'metric'"))
    assert found["copula_p"] > 0.05
    assert found["score"] < found["baseline_score"]


def raw_hospital(place, treatments: list[str], feedback: str):
    """Write a hospital of the given treatment lines (patient, cost) and feedback."""
    folder = place / "raw" / "hospital"
    folder.mkdir(parents=True)
    header = "treatment_id,patient_id,doctor_id,treatment_type,treatment_cost,room_cost,"
    lines = [f"T{n},{line},ECG,{n}.5,0,2025-01-02" for n, line in enumerate(treatments, start=1)]
    text = "\n".join([header + "treatment_date", *lines]) + "\n"
    (folder / "patients_data_with_doctor.csv").write_text(text)
    (folder / "doctors_info.csv").write_text("doctor_id,doctor_name,specialty\nD1,One,Oncology\n")
    (folder / "patient_feedback.json").write_text(feedback)
    return place / "raw"


@pytest.mark.parametrize(
    ("treatments", "feedback", "statuses"),
    [
        ([], '[{"patient_id": "P1", "patient_feedback_score": 4}]', {}),
        (["P1,D1"], '[{"patient_id": "P1", "patient_feedback_score": 4}]', {"P1": NON_VIP}),
        (
            ["P1,D1"] * 3 + ["P2,D1"],
            '[{"patient_id": "P9", "patient_feedback_score": 4}]',
            {"P1": VIP, "P2": NON_VIP},
        ),
    ],
    ids=["no_patient", "one_patient", "no_feedback_of_any_treated"],
)
@pytest.mark.system
def test_hospitals_with_too_little_to_learn_from_are_built(
    dbt, tmp_path, treatments, feedback, statuses
):
    raw = raw_hospital(tmp_path, treatments, feedback)
    outcome = dbt(raw, tmp_path, *BUILD, "+path:models/**/hospital", "+model_runs")
    assert outcome.success, outcome.message
    rows = outcome.query("select patient_id, vip_status, is_reliable from ml.patient_vip")
    assert {patient: status for patient, status, _ in rows} == statuses
    assert not any(reliable for *_, reliable in rows)
    assert len(outcome.query("from ml.model_runs")) == bool(statuses)
    assert outcome.query("select distinct evidence from hospital.top_doctors") == [
        ("too few patients to tell",)
    ]


@pytest.mark.system
def test_the_fit_is_the_same_to_the_byte_in_every_build_and_order(dbt, tmp_path, sample):
    raw = tmp_path / "raw"
    shutil.copytree(SAMPLE, raw)
    treatments = raw / "hospital" / "patients_data_with_doctor.csv"
    header, *lines = treatments.read_bytes().splitlines(keepends=True)
    random.Random(11).shuffle(lines)
    treatments.write_bytes(b"".join([header, *lines]))
    expected = sample.query(FIT)
    for _ in range(2):
        shuffled = dbt(raw, tmp_path, *BUILD, "+vip_fit")
        assert shuffled.success, shuffled.message
        assert shuffled.query(FIT) == expected
    assert len(expected) == 29
    # What tells that a build kept the test is a figure that no test gives.
    with duckdb.connect(str(shuffled.database)) as connection:
        connection.execute("update ml.vip_fit set value = 0.03125 where feature = 'copula_p'")
    kept = dbt(raw, tmp_path, *BUILD, "vip_fit")
    assert kept.query("select value from ml.vip_fit where feature = 'copula_p'") == [(0.03125,)]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_holm_equals_statsmodels(p_values):
    from statsmodels.stats.multitest import multipletests

    expected = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(holm(np.array(p_values)), expected, rtol=1e-12)


def test_holm_of_nothing_is_nothing():
    assert len(holm(np.empty(0))) == 0


def doctor_sums(scores: dict[int, list[float]]) -> pd.DataFrame:
    """Sum up doctors who share no patient, as doctor_feedback_statistics does."""
    rows = []
    for doctor, own in scores.items():
        others = np.concatenate([s for other, s in scores.items() if other != doctor])
        rows.append(
            {
                "provider_key": doctor,
                "n_patients_with_feedback": len(own),
                "score_sum": np.sum(own),
                "score_square_sum": np.sum(np.square(own)),
                "n_other_patients_with_feedback": len(others),
                "other_score_sum": np.sum(others),
                "other_score_square_sum": np.sum(np.square(others)),
            }
        )
    return pd.DataFrame(rows)


def test_comparison_of_doctors_equals_scipy_on_the_scores():
    generator = np.random.default_rng(5)
    scores = {
        doctor: np.clip(generator.normal(3 + doctor / 4, 1, 5 + 7 * doctor), 1, 5)
        for doctor in range(1, 6)
    }
    found = compare_doctors(doctor_sums(scores), minimum_patients=5).set_index("provider_key")
    assert list(found.index) == list(scores)
    for doctor, own in scores.items():
        others = np.concatenate([s for other, s in scores.items() if other != doctor])
        expected = stats.ttest_ind(own, others, equal_var=False)
        assert found.t_statistic[doctor] == pytest.approx(expected.statistic, rel=1e-9)
        assert found.p_value[doctor] == pytest.approx(expected.pvalue, rel=1e-9)
        assert found.mean_difference[doctor] == pytest.approx(np.mean(own) - np.mean(others))


def test_doctors_with_too_few_patients_or_no_spread_are_not_compared():
    scores = {1: [4, 5, 3, 4], 2: [1, 2, 1, 2, 3], 3: [5]}
    found = compare_doctors(doctor_sums(scores), minimum_patients=5)
    assert list(found.provider_key) == [2]
    assert list(compare_doctors(doctor_sums(scores), minimum_patients=1).provider_key) == [1, 2]
    same = {1: [4] * 6, 2: [4] * 6}
    assert len(compare_doctors(doctor_sums(same), minimum_patients=5)) == 0
    # Nobody answered: the model is empty, and so is the answer.
    assert len(compare_doctors(doctor_sums(same).iloc[:0], minimum_patients=5)) == 0


@pytest.mark.parametrize("name", in_fast_suite(["sample", "large"], "sample"))
def test_statistics_of_sql_equal_scipy_on_the_raw_patients(warehouse):
    care = warehouse.frame("select distinct provider_key, patient_key from core.fct_treatments")
    scores = (
        warehouse.frame(
            "select patient_key, avg(feedback_score)::double as score "
            "from core.fct_patient_feedback group by all"
        )
        .set_index("patient_key")
        .score
    )
    scores = scores[scores.index.isin(care.patient_key)]
    found = warehouse.frame("from hospital.doctor_feedback_tests").set_index("provider_key")
    p_values = {}
    for doctor, own in care.groupby("provider_key").patient_key:
        is_own = scores.index.isin(own)
        if is_own.sum() >= 5:
            test = stats.ttest_ind(scores[is_own], scores[~is_own], equal_var=False)
            p_values[doctor] = test.pvalue
    assert set(found.index) == set(p_values)
    assert len(found) > 10
    expected = pd.Series(p_values)[found.index]
    np.testing.assert_allclose(found.p_value, expected, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(found.p_value_adjusted, holm(found.p_value.to_numpy()))


@pytest.mark.parametrize("name", in_fast_suite(["sample", "large"], "sample"))
def test_coverage_intervals_equal_statsmodels(warehouse):
    from statsmodels.stats.proportion import proportion_confint

    found = warehouse.frame("from hospital.feedback_coverage")
    low, high = proportion_confint(
        found.n_patients_with_feedback, found.n_patients, method="wilson"
    )
    assert len(found) > 50
    np.testing.assert_allclose(found.feedback_coverage_rate_low, low, atol=1e-12)
    np.testing.assert_allclose(found.feedback_coverage_rate_high, high, atol=1e-12)


def test_wilson_bounds_of_extreme_counts_equal_statsmodels(manifest):
    """The macro itself, rendered and run: nobody, everybody, one, and very many."""
    import duckdb
    from jinja2 import Environment
    from statsmodels.stats.proportion import proportion_confint

    cases = [(0, 1), (1, 1), (0, 7), (7, 7), (1, 2), (5, 9), (1, 10**9), (10**9 - 1, 10**9)]
    source = manifest.macros["macro.wardhouse.wilson_bound"].macro_sql
    module = Environment().from_string(source).module
    with duckdb.connect() as connection:
        for successes, n in cases:
            found = connection.execute(
                f"select {module.wilson_bound('k', 'n', 'low')}, "
                f"{module.wilson_bound('k', 'n', 'high')} "
                "from (select ?::bigint as k, ?::bigint as n)",
                [successes, n],
            ).fetchone()
            expected = proportion_confint(successes, n, method="wilson")
            assert found == pytest.approx(expected, abs=1e-12)
            assert 0 <= found[0] <= found[1] <= 1
        nobody = f"select {module.wilson_bound('k', 'n', 'low')} from (select 0 as k, 0 as n)"
        assert connection.execute(nobody).fetchone() == (None,)


@pytest.mark.system
def test_planted_doctors_are_told_from_others_where_enough_patients_answered(dbt, tmp_path):
    """Every verdict on a planted doctor points the planted way; large hospitals give one on all."""
    summary = generate_hospital(tmp_path / "raw", 20_000, seed=7)
    planted = pd.read_csv(summary.truth_dir / "planted_doctors.csv", index_col="doctor_id").plant
    arguments = (*BUILD, "+top_doctors", "--vars", "{top_n: 1000}")
    outcome = dbt(tmp_path / "raw", tmp_path, *arguments)
    assert outcome.success, outcome.message
    evidence = dict(outcome.query("select doctor_id, evidence from hospital.top_doctors"))
    expected = {
        "low_feedback": "significantly lower than others",
        "high_feedback": "significantly higher than others",
    }
    assert {doctor: evidence[doctor] for doctor in planted.index} == planted.map(expected).to_dict()
    # Of the others, about none is told apart: Holm keeps the chance of any false verdict at 5 %.
    others = [verdict for doctor, verdict in evidence.items() if doctor not in planted.index]
    assert sum(verdict.startswith("significantly") for verdict in others) <= 0.05 * len(others)
