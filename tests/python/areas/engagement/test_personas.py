"""Personas: how many, what they are, whether they hold, against scikit-learn and planted groups."""

import json
import re
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest
from builds import PROJECT, shared_data
from jinja2 import Environment
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)
from sklearn.preprocessing import StandardScaler
from wardhouse.areas.engagement.k_selection import Settings, choose, elbow, select_k
from wardhouse.areas.engagement.numbering import number_personas
from wardhouse.areas.engagement.personas import Last, People, Vectors, fit_personas
from wardhouse.areas.engagement.vectors import fit_all, read_vectors, select_all
from wardhouse.bench.engagement import CLOUDS, GROUPED, count_calls
from wardhouse.ml.k_means import k_means
from wardhouse.ml.tidy import COLUMNS

FEATURES = ("engagement", "procedures", "referrals", "satisfaction")
SETTINGS = Settings(null_draws=19)
SURVEY = ["Initial_days", "TotalCharge", "Doc_visits", "Additional_charges"]


def people(values: np.ndarray, keys=None, is_in_fit=None) -> People:
    n = len(values)
    return People(
        np.arange(n) if keys is None else keys,
        values,
        np.ones(n, dtype=bool) if is_in_fit is None else is_in_fit,
    )


def planted(n: int = 300, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Draw people of five planted groups, and whose group each is of."""
    generator = np.random.default_rng(seed)
    group = generator.choice(5, n, p=[0.3, 0.25, 0.2, 0.15, 0.1])
    centres = np.vstack([np.zeros(4), 6 * np.eye(4)])[group]
    return (centres + generator.normal(size=(n, 4))) * [10, 1, 0.1, 3] + 50, group


def selected(k: int) -> pd.DataFrame:
    """Give a selection whose k is chosen and eligible."""
    return pd.DataFrame({"k": [k], "is_eligible": [True], "is_chosen": [True]})


def fitted(
    values: np.ndarray,
    first: People | None = None,
    last: Last | None = None,
    k: int | None = None,
    **changes,
) -> pd.DataFrame:
    """Fit the k given, or the one that is selected."""
    settings = Settings(**({"null_draws": 19} | changes))
    vectors = Vectors(FEATURES[: values.shape[1]], people(values), first)
    selection = selected(k) if k else select_k(values, settings)
    return fit_personas("patient", vectors, selection, settings, last or Last())


def figures(table: pd.DataFrame, component: str) -> dict:
    """Give the values of a component by feature, or by level where it is of personas."""
    rows = table[table["component"] == component]
    name = "level" if (rows["feature"] == "persona").all() else "feature"
    return dict(zip(rows[name], rows["value"], strict=True))


def centroids(table: pd.DataFrame, component: str = "centroid") -> pd.DataFrame:
    rows = table[table["component"] == component]
    return rows.pivot(index="level", columns="feature", values="value")


def numbers_of(table: pd.DataFrame, values: np.ndarray, prefix: str = "") -> np.ndarray:
    """Give each person the number of the nearest centroid, as SQL does."""
    middles = centroids(table, f"{prefix}centroid")
    order = list(middles.columns)
    mean, scale = (
        pd.Series(figures(table, f"{prefix}scaler_{name}"))[order].to_numpy()
        for name in ("mean", "scale")
    )
    places = [FEATURES.index(name) for name in order]
    scaled = (values[:, places] - mean) / scale
    distances = ((scaled[:, None] - middles.to_numpy()) ** 2).sum(axis=2)
    return middles.index.astype(int).to_numpy()[distances.argmin(axis=1)]


@pytest.fixture(scope="module")
def five():
    """Return five planted groups, today and at an earlier date, and their fit."""
    values, group = planted()
    # Somebody new has the first keys; a third of the fifth group was in the first one.
    earlier = values[20:].copy()
    movers = np.flatnonzero(group[20:] == 4)[::3]
    earlier[movers] = values[group == 0][: len(movers)]
    first = people(earlier, keys=np.arange(20, 300))
    return values, group, first, fitted(values, first)


# How many


def candidates(*rows) -> pd.DataFrame:
    names = ["k", "silhouette", "silhouette_error", "is_eligible"]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize(
    ("rows", "persona_k", "chosen"),
    [
        ([(2, 0.5, 0.01, True), (3, 0.6, 0.01, True)], None, (3, "rule")),
        ([(2, 0.595, 0.01, True), (3, 0.6, 0.01, True)], None, (2, "rule")),
        ([(2, 0.595, 0.01, False), (3, 0.6, 0.01, True)], None, (3, "rule")),
        ([(2, 0.5, 0.01, True), (3, 0.6, 0.01, False)], None, (2, "rule")),
        ([(2, 0.5, 0.9, False), (3, 0.6, 0.9, False)], None, (3, "no eligible k")),
        ([(2, 0.5, 0.01, False), (3, 0.6, 0.01, True)], 2, (2, "persona_k")),
        ([(2, 0.5, 0.01, True), (3, 0.6, 0.01, True)], 12, (3, "rule")),
    ],
    ids=["largest", "tie", "tie_not_eligible", "eligible", "none", "fixed", "fixed_to_too_many"],
)
def test_k_is_chosen_by_the_stated_rule(rows, persona_k, chosen):
    assert choose(candidates(*rows), persona_k) == chosen


def persona_k(k) -> str:
    """Render the macro that reads the var."""

    def refuse(message: str):
        raise ValueError(message)

    context = {
        "var": {"persona_k": k}.__getitem__,
        "exceptions": SimpleNamespace(raise_compiler_error=refuse),
        "modules": SimpleNamespace(re=re),
        "return": lambda value: value,
    }
    source = (PROJECT / "macros" / "ml" / "personas.sql").read_text()
    environment = Environment(extensions=["jinja2.ext.do"])
    return environment.from_string(source, globals=context).module.persona_k().strip()


@pytest.mark.parametrize("k", ["", "2", 12, " 5 "])
def test_a_number_of_personas_is_taken_and_nothing_is_left_to_the_rule(k):
    assert persona_k(k) == str(k).strip()


@pytest.mark.parametrize("k", ["some", "1", 0, -3, "2.5"])
def test_what_is_no_number_of_personas_is_refused(k):
    with pytest.raises(ValueError, match=f"persona_k is {k}: give a whole number from 2"):
        persona_k(k)


def test_no_elbow_is_none():
    assert elbow([2, 3, 4, 5, 6], np.array([100, 20, 18, 17, 16])) == 3
    assert elbow([2, 3, 4, 5], np.array([40, 30, 20, 10])) is None
    assert elbow([2, 3], np.array([40, 30])) is None


@pytest.mark.system
def test_figures_of_a_real_survey_are_those_of_scikit_learn():
    path = shared_data("engagement") / "patient_survey.csv"
    patients = pd.read_csv(path, nrows=300).sort_values("Customer_id")
    values = patients[SURVEY].to_numpy(float)
    found = select_k(values, SETTINGS)
    assert found["k"].tolist() == list(range(2, 11))
    scaled = StandardScaler().fit_transform(values)
    for row in found.itertuples():
        fit = k_means(row.k, SETTINGS.seed).fit(scaled)
        assert row.n_fitted == len(values)
        assert row.sse == pytest.approx(fit.inertia_, rel=1e-9)
        assert row.silhouette == pytest.approx(silhouette_score(scaled, fit.labels_), abs=1e-9)
        expected = calinski_harabasz_score(scaled, fit.labels_)
        assert row.calinski_harabasz == pytest.approx(expected, rel=1e-9)
        expected = davies_bouldin_score(scaled, fit.labels_)
        assert row.davies_bouldin == pytest.approx(expected, rel=1e-9)
        assert row.smallest_cluster == np.bincount(fit.labels_).min()
    best = found.loc[found["silhouette"].idxmax(), "k"]
    chosen = found.loc[found["is_chosen"], "k"].item()
    assert (found["silhouette_agrees"] == (best == chosen)).all()


def test_a_fixed_number_is_taken_and_one_beyond_ten_is_tried():
    values, _ = planted(120)
    found = select_k(values, Settings(persona_k=12, minimum_cell_size=2))
    assert found.loc[found["is_chosen"], ["k", "chosen_by"]].values.tolist() == [[12, "persona_k"]]
    assert not found["silhouette_agrees"].any()


@pytest.mark.parametrize("values", [np.empty((0, 0)), np.ones((5, 4)), np.ones((50, 4))])
def test_too_few_people_and_people_all_alike_have_no_k(values):
    found = select_k(values, SETTINGS)
    assert len(found) == 0
    assert str(found["is_chosen"].dtype) == "bool"


def test_people_of_three_kinds_have_two_or_three_personas():
    values = np.repeat([[0.0, 0, 1], [9, 0, 1], [0, 9, 1]], 12, axis=0)
    found = select_k(values, SETTINGS)
    assert found["k"].tolist() == [2, 3]
    assert found.loc[found["is_chosen"], "k"].item() == 3
    table = fitted(values)
    assert set(numbers_of(table, values)) == {1, 2, 3}
    assert figures(table, "metric")["k"] == 3


# The fit


def test_planted_groups_are_found_and_reliable(five):
    values, group, _, table = five
    metrics = figures(table, "metric")
    assert (metrics["k"], metrics["n_people"], metrics["n_fitted"]) == (5, 300, 300)
    numbers = numbers_of(table, values)
    assert adjusted_rand_score(group, numbers) > 0.9
    assert metrics["score"] > 0.5
    assert metrics["bootstrap_ari"] > 0.9
    assert metrics["copula_p"] == 0.05
    assert metrics["gaussian_mixture_ari"] > 0.9
    assert metrics["ward_ari"] > 0.9
    assert metrics["is_reliable"] == 1
    sizes = np.bincount(numbers)[1:]
    assert (np.diff(sizes) <= 0).all()  # the largest is 1
    for component in ("jaccard", "silhouette_of", "kept"):
        assert set(figures(table, component)) == set("12345")
    assert min(figures(table, "jaccard").values()) == pytest.approx(metrics["smallest_jaccard"])
    assert set(figures(table, "kept").values()) == {0}
    shares = sizes / sizes.sum()
    by_persona = figures(table, "silhouette_of")
    mean = sum(by_persona[str(n + 1)] * share for n, share in enumerate(shares))
    assert mean == pytest.approx(metrics["score"])


def test_the_table_is_tidy_with_the_type_before(five):
    *_, table = five
    assert tuple(table.columns) == ("person_type", *COLUMNS)
    assert set(table["person_type"]) == {"patient"}
    texts = table[table["component"] == "setting"].set_index("feature")["text"]
    assert texts["task"] == "persona_patient"
    settings = json.loads(texts["settings"])
    assert settings["features"] == list(FEATURES)
    assert {"scikit_learn", "numpy", "seed", "null_draws", "bootstraps"} <= set(settings)


def test_features_are_described_without_a_p_value(five):
    """The features made the groups: a test of them by the groups would be circular."""
    values, *_, table = five
    np.testing.assert_allclose(
        [figures(table, "variance")[name] for name in FEATURES], values.var(axis=0)
    )
    assert set(figures(table, "agreement_without")) == set(FEATURES)
    pairs = table[table["component"] == "largest_correlation"]
    spearman = pd.DataFrame(values, columns=FEATURES).corr("spearman")
    for row in pairs.itertuples():
        others = spearman[row.feature].drop(row.feature)
        assert row.level == others.abs().idxmax()
        assert row.value == pytest.approx(others[row.level])
    of_features = table[table["feature"].isin(FEATURES)]
    named = set(of_features["component"]) | set(of_features["level"].dropna())
    assert not [name for name in named if name == "p" or "p_value" in name or name.endswith("_p")]
    of_tests = table[table["feature"].str.endswith(("_p", "p_value"))]
    assert set(of_tests["feature"]) == {"copula_p"}


def test_a_cloud_has_personas_that_are_not_reliable():
    table = fitted(CLOUDS["elongated"](np.random.default_rng(2), 200), k=3)
    metrics = figures(table, "metric")
    assert metrics["is_reliable"] == 0
    assert metrics["copula_p"] > 0.05


def test_few_people_per_persona_are_not_reliable():
    values, _ = planted(90)
    metrics = figures(fitted(values, k=5), "metric")
    assert metrics["copula_p"] == 0.05
    assert metrics["is_reliable"] == 0


@pytest.mark.parametrize(
    ("values", "n_personas"), [(np.empty((0, 4)), 0), (np.ones((30, 4)), 1), (np.ones((1, 4)), 1)]
)
def test_nobody_and_people_all_alike_are_fitted_without_a_verdict(values, n_personas):
    table = fitted(values)
    assert len(centroids(table)) == n_personas
    metrics = figures(table, "metric")
    assert metrics["n_people"] == len(values)
    assert metrics.get("is_reliable", 0) == 0
    assert "copula_p" not in metrics


def test_outliers_are_left_out_of_the_fit_and_have_a_persona():
    values, _ = planted(200)
    far = np.vstack([values, np.full((3, 4), 500.0)])
    current = people(far, is_in_fit=np.arange(203) < 200)
    table = fit_personas("patient", Vectors(FEATURES, current), selected(5), SETTINGS, Last())
    assert figures(table, "metric")["n_fitted"] == 200
    assert figures(table, "metric")["n_people"] == 203
    scaler = figures(table, "scaler_mean")
    np.testing.assert_allclose([scaler[name] for name in FEATURES], values.mean(axis=0))


def test_above_the_maximum_a_seeded_sample_is_fitted(five):
    values, group, *_ = five
    table = fitted(values, k=5, fit_max_rows=150, metric_max_rows=100, null_max_rows=100)
    assert figures(table, "metric")["n_fitted"] == 150
    assert adjusted_rand_score(group, numbers_of(table, values)) > 0.9


# The same people, the same personas


def test_other_units_change_no_label(five):
    values, _, first, table = five
    other = fitted(values * [100, 0.01, 7, 2.54] + [0, 5, -3, 32], first)
    assert (numbers_of(other, values * [100, 0.01, 7, 2.54] + [0, 5, -3, 32])).tolist() == (
        numbers_of(table, values).tolist()
    )
    for metric in ("k", "copula_p", "bootstrap_ari", "is_reliable"):
        assert figures(other, "metric")[metric] == figures(table, "metric")[metric]


def warehouse(values: np.ndarray, order: np.ndarray, threads: int) -> duckdb.DuckDBPyConnection:
    """Make a table like `persona_vectors`: two dates of patients, in any order of rows."""
    rows = [
        ("patient", 7919 * n % 104729, day, day == "2025-06-30", True, list(FEATURES), list(row))
        for n, row in enumerate(values.tolist())
        for day in ("2025-03-31", "2025-06-30")
    ]
    connection = duckdb.connect(config={"threads": threads})
    connection.execute(
        "create table persona_vectors (person_type varchar, person_key bigint, as_of_date date, "
        "is_current boolean, is_in_fit boolean, features varchar[], feature_values double[])"
    )
    connection.executemany(
        "insert into persona_vectors values (?, ?, ?, ?, ?, ?, ?)", [rows[n] for n in order]
    )
    return connection


@pytest.mark.system
def test_any_order_of_rows_and_one_thread_or_two_give_the_same_to_the_last_bit():
    values, _ = planted(100)
    order = np.random.default_rng(3).permutation(200)
    settings = Settings(null_draws=5, minimum_cell_size=5)
    found = []
    for rows, threads in ((np.arange(200), 1), (order, 2)):
        with warehouse(values, rows, threads) as connection:
            vectors = connection.table("persona_vectors")
            selection = select_all(vectors, settings)
            found.append((selection, fit_all(vectors, selection, None, None, settings)))
    pd.testing.assert_frame_equal(found[0][0], found[1][0], check_exact=True)
    pd.testing.assert_frame_equal(found[0][1], found[1][1], check_exact=True)
    both = found[0][1]
    assert set(both["person_type"]) == {"patient", "physician"}
    of_nobody = both[both["person_type"] == "physician"]
    assert figures(of_nobody, "metric") == {"n_people": 0, "n_fitted": 0}


def test_vectors_are_read_by_key_of_today_and_of_the_first_date():
    values, _ = planted(30)
    with warehouse(values, np.arange(60), 1) as connection:
        found = read_vectors(connection.table("persona_vectors"), "patient")
        nobody = read_vectors(connection.table("persona_vectors"), "physician")
        connection.execute("update persona_vectors set as_of_date = null where is_current")
        undated = read_vectors(connection.table("persona_vectors"), "patient")
    keys = 7919 * np.arange(30) % 104729
    assert found.features == FEATURES
    assert (found.current.keys == np.sort(keys)).all()
    np.testing.assert_array_equal(found.current.values, values[np.argsort(keys)])
    assert len(found.first.keys) == 30
    assert undated.first is None
    assert (len(nobody.current.keys), nobody.features, nobody.first) == (0, (), None)


def test_a_date_of_a_few_records_is_no_first_date():
    """A record with a wrong year would stand for everybody, and nothing be held against it."""
    values, _ = planted(30)
    with warehouse(values, np.arange(60), 1) as connection:
        connection.execute(
            "insert into persona_vectors select * replace (date '1925-06-30' as as_of_date, false "
            "as is_current) from persona_vectors where is_current limit 5"
        )
        found = read_vectors(connection.table("persona_vectors"), "patient")
    assert len(found.first.keys) == 30


def test_the_test_against_data_without_groups_is_kept_while_data_and_settings_stay(five):
    values, _, first, table = five
    marked = table.assign(value=table["value"].mask(table["feature"] == "copula_p", 0.03125))
    again = fitted(values, first, Last(marked), k=5)
    assert figures(again, "metric")["copula_p"] == 0.03125
    assert figures(fitted(values, None, Last(marked), k=5), "metric")["copula_p"] == 0.05
    other = fitted(values, first, Last(marked), k=5, null_draws=9)
    assert figures(other, "metric")["copula_p"] == 0.1


# Numbers


def test_numbers_go_by_size_and_equal_sizes_by_centroids():
    centres = np.array([[3.0, 0], [2, 1], [1, 5], [0, 2]])
    labels = np.repeat([0, 1, 2, 3], [5, 9, 5, 7])
    nobody = (np.empty(0, int), np.empty(0, int))
    numbers, kept = number_personas(centres, labels, (np.arange(26), labels), nobody)
    assert numbers.tolist() == [4, 1, 3, 2]
    assert not kept.any()


def test_a_number_stays_where_more_than_half_of_the_members_do():
    labels = np.repeat([0, 1, 2], [10, 8, 6])
    keys = np.arange(24)
    #  Persona 7 is cluster 1 now; half of 3 went to cluster 0, no more; 9 has left.
    last_keys = np.array([*range(10, 18), 0, 1, 18, 90, 91])
    last_numbers = np.array([7] * 8 + [3, 3, 3, 3, 9])
    numbers, kept = number_personas(
        np.zeros((3, 1)), labels, (keys, labels), (last_keys, last_numbers)
    )
    assert numbers.tolist() == [1, 7, 2]
    assert kept.tolist() == [False, True, False]


def test_personas_keep_their_numbers_when_their_sizes_change(five):
    values, _, _, table = five
    numbers = numbers_of(table, values)
    # The last persona becomes the largest by people who are new.
    more = np.vstack([values, np.repeat(values[numbers == 5], 5, axis=0)])
    again = fitted(more, last=Last(table, np.arange(300), numbers), k=5, null_draws=1)
    assert set(figures(again, "kept").values()) == {1}
    assert (numbers_of(again, values) == numbers).mean() > 0.99


def test_personas_of_other_features_are_others(five):
    values, _, _, table = five
    last = Last(table, np.arange(300), numbers_of(table, values))
    again = fitted(values[:, :2], last=last, k=5, null_draws=1)
    assert set(figures(again, "kept").values()) == {0}


# The first date


def test_the_first_date_has_a_fit_of_its_own_with_the_numbers_of_today(five):
    values, group, first, table = five
    then = numbers_of(table, first.values, "first_")
    now = numbers_of(table, values)[20:]
    stayed = (then == now).mean()
    movers = np.flatnonzero(group[20:] == 4)[::3]
    assert stayed == pytest.approx(1 - len(movers) / 280, abs=0.02)
    assert (then[movers] != now[movers]).all()


def test_the_noise_of_the_first_date_is_who_moves_without_time_passing(five):
    *_, table = five
    rows = table[table["component"] == "first_noise"]
    noise = rows.pivot(index="level", columns="feature", values="value")
    assert noise.shape == (5, 5)
    np.testing.assert_allclose(noise.sum(axis=1), 1)
    assert np.diag(noise).min() > 0.85


def test_without_history_or_with_few_people_then_there_is_no_first_fit():
    values, _ = planted(60)
    few = people(values[:10], keys=np.arange(10))
    for first in (None, few):
        table = fitted(values, first, k=5, null_draws=1)
        assert not table["component"].str.startswith("first_").any()


def test_overlapping_groups_are_told_from_noise_in_their_p_value():
    values = GROUPED["overlapping"](np.random.default_rng(1), 300)
    assert figures(fitted(values, k=2), "metric")["copula_p"] == 0.05


def test_settings_are_read_from_words():
    words = {"persona_k": "", "seed": "7", "null_draws": 19}
    assert Settings.of(words) == Settings(persona_k=None, seed=7, null_draws=19)
    assert Settings.of({"persona_k": "4"}).persona_k == 4


@pytest.mark.system
def test_reliable_are_planted_groups_and_no_clouds():
    """The benchmark counts 20 seeds of 500 people; these are few."""
    for calls in count_calls(n_seeds=4, people=300):
        if calls.shape == "planted":
            assert calls.n_reliable == 4
        elif calls.has_groups:
            assert calls.n_grouped == 4
        else:
            assert calls.n_reliable == 0
