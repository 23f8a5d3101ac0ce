"""What all fits share: the tidy table, K-Means and linear models, in Python and applied in SQL."""

import json
import subprocess
import sys
from ast import literal_eval
from pathlib import Path
from textwrap import dedent

import duckdb
import numpy as np
import pandas as pd
import pytest
from jinja2 import Environment
from sklearn.linear_model import Ridge
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from wardhouse.ml.k_means import fit_k_means, k_means_rows
from wardhouse.ml.linear import (
    L2_WEIGHT,
    fit_platt,
    linear_columns,
    linear_model,
    linear_rows,
    logistic,
)
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import COLUMNS, fingerprint, sampled, tidy_table, value_row, with_verdict

MACROS = Path(__file__).resolve().parents[3] / "macros" / "ml"
FEATURES = ("total_revenue", "n_visits")
WORDS, NUMBERS = ("specialty", "age_group"), ("n_prior_no_shows", "always_two")


@pytest.fixture(autouse=True)
def one_thread():
    """Fit as models do."""
    with single_threaded():
        yield


def macros(name: str):
    """Render a file's macros, which may call those on verdicts; a model's name is the table's."""
    environment = Environment(extensions=["jinja2.ext.do"])
    source = "".join((MACROS / f"{file}.sql").read_text() for file in ("fit_summary", name))
    return environment.from_string(source, globals={"ref": lambda model: model}).module


def tidy(parameters: list[dict]) -> pd.DataFrame:
    return tidy_table("task", "f00d", {}, {}, parameters)


# The tidy table


def test_a_fit_is_told_in_one_schema():
    parameters = [value_row("centroid", "n_visits", 1.5, "VIP")]
    table = tidy_table(
        "vip", "f00d", {"seed": 42}, {"n_fitted": 7}, parameters, {"held_out_from": None}
    )
    assert tuple(table.columns) == COLUMNS
    rows = table.set_index(["component", "feature"])
    assert rows.loc[("centroid", "n_visits"), ["level", "value"]].tolist() == ["VIP", 1.5]
    assert rows.loc[("metric", "n_fitted"), "value"] == 7
    texts = rows.loc["setting", "text"]
    assert (texts["task"], texts["data_fingerprint"]) == ("vip", "f00d")
    assert set(json.loads(texts["settings"])) == {"seed", "scikit_learn", "numpy"}
    assert pd.isna(texts["held_out_from"])
    assert rows.loc["setting", "value"].isna().all()


def test_a_metric_that_is_not_known_has_no_row():
    metrics = {"score": np.nan, "lift": np.inf, "n_fitted": 0}
    table = tidy_table("task", "f00d", {}, metrics, [])
    assert table.loc[table.component == "metric", "feature"].tolist() == ["n_fitted"]


@pytest.mark.parametrize(
    ("metrics", "is_reliable"),
    [
        ({}, 0),
        ({"score_low": 0.6, "baseline_score": 0.5}, 1),
        ({"score_low": 0.5, "baseline_score": 0.5}, 0),
        ({"score_low": 0.6, "baseline_score": 0.5, "is_reliable": 0.0}, 0),
    ],
    ids=["not_judged", "above", "equal", "said_otherwise"],
)
def test_a_fit_is_reliable_when_its_interval_lies_above_the_baseline(metrics, is_reliable):
    assert with_verdict(metrics) == metrics | {"is_reliable": is_reliable}


def test_a_fingerprint_tells_values_and_their_order():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": list("xyz")})
    others = [frame.assign(a=[1, 2, 4]), frame.assign(b=list("xyy")), frame.iloc[::-1]]
    assert len({fingerprint(data) for data in (frame, *others)}) == 4
    assert fingerprint(frame) == fingerprint(frame.copy())
    keys, values = np.arange(3), np.arange(6.0).reshape(3, 2)
    assert fingerprint(keys, values) != fingerprint(keys, values[::-1])
    assert fingerprint(keys, values) == fingerprint(keys, np.asfortranarray(values))


@pytest.mark.parametrize("make", [np.asarray, lambda values: pd.DataFrame({"value": values})])
def test_a_sample_is_seeded_in_order_and_everything_where_there_are_no_more_rows(make):
    rows = make(np.arange(100))
    first, again, other = (np.ravel(sampled(rows, 20, seed)) for seed in (1, 1, 2))
    assert len(set(first)) == 20
    assert (np.diff(first) > 0).all()
    assert (first == again).all()
    assert (first != other).any()
    assert sampled(rows, 100, 1) is rows


# One thread


def test_libraries_that_a_fit_is_the_first_to_load_are_held_to_one_thread():
    script = """
        from wardhouse.ml.threads import single_threaded
        with single_threaded():
            import scipy.linalg
            import sklearn.cluster
            import sklearn.linear_model
            from threadpoolctl import threadpool_info
            print([(pool["prefix"], pool["num_threads"]) for pool in threadpool_info()])
    """
    told = subprocess.run(
        [sys.executable, "-c", dedent(script)], check=True, capture_output=True, text=True
    )
    pools = literal_eval(told.stdout)
    assert len(pools) >= 2
    assert {n_threads for _, n_threads in pools} == {1}


# K-Means


def groups(n: int = 300, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Draw three groups that lie apart, in units of different sizes: values, and whose they are."""
    generator = np.random.default_rng(seed)
    group = generator.integers(0, 3, n)
    middle = np.array([[1000, 2], [9000, 3], [2000, 15]])[group]
    return middle + generator.normal(size=(n, 2)) * [300, 0.5], group


def test_any_number_of_clusters_is_found_whatever_the_order_of_rows():
    values, group = groups()
    order = np.random.default_rng(1).permutation(len(values))
    fits = [fit_k_means(rows, 3, seed=42) for rows in (values, values[order])]
    assert adjusted_rand_score(group, fits[0].predict(values)) == 1
    assert adjusted_rand_score(group, fits[1].predict(values)) == 1
    straight, shuffled = (np.sort(fit[-1].cluster_centers_, axis=0) for fit in fits)
    np.testing.assert_allclose(straight, shuffled, rtol=1e-12)


def test_k_means_runs_until_nothing_moves():
    values = np.random.default_rng(2).normal(size=(500, 2))
    fit = fit_k_means(values, 4, seed=42)
    scaled = fit[:-1].transform(values)
    labels = fit.predict(values)
    assert (labels == fit[-1].labels_).all()
    means = [scaled[labels == cluster].mean(axis=0) for cluster in range(4)]
    np.testing.assert_allclose(fit[-1].cluster_centers_, means, rtol=1e-9)


def test_rows_all_alike_are_one_cluster_and_a_constant_has_scale_one():
    fit = fit_k_means(np.full((30, 2), 7.0), 3, seed=42)
    assert len(fit[-1].cluster_centers_) == 1
    assert fit[0].scale_.tolist() == [1, 1]


def test_the_nearest_centroid_in_sql_is_the_cluster_that_scikit_learn_predicts():
    values, _ = groups()
    fit = fit_k_means(values, 3, seed=42)
    names = ("few", "rich", "often")
    some_fit = tidy(k_means_rows(fit, FEATURES, names))  # noqa: F841
    # Others than those that were learned from, in between the groups too.
    new = np.random.default_rng(9).uniform([0, 0], [10_000, 20], size=(500, 2))
    rows = pd.DataFrame(new, columns=FEATURES)  # noqa: F841
    sql = macros("k_means")
    distances = ", ".join(
        " + ".join(sql.scaled_square(feature, name) for feature in FEATURES) for name in names
    )
    model = sql.k_means_model("some_fit", FEATURES, dict(zip(names, names, strict=True)))
    found = duckdb.sql(f"select [{distances}] as squares, is_reliable from rows, ({model})").df()
    squares = np.stack(found["squares"])
    assert (squares.argmin(axis=1) == fit.predict(new)).all()
    np.testing.assert_allclose(np.sqrt(squares), fit.transform(new), rtol=1e-9)
    assert not found["is_reliable"].any()


def test_the_strongest_pull_is_named_and_the_first_of_equals():
    sql = macros("k_means").strongest_pull(FEATURES, "sign")
    pulls = pd.DataFrame(  # noqa: F841
        {
            "sign": [1, -1, 1, 1],
            "pull_total_revenue": [1, 1, 2, None],
            "pull_n_visits": [3, 3, 2, None],
        }
    )
    found = duckdb.sql(f"select {sql} from pulls").fetchall()
    assert found == [("n_visits",), ("total_revenue",), ("total_revenue",), (None,)]


# Linear models


def visits(n: int, seed: int = 4, specialties=("Urology", "Cardiology", "Oncology")):
    """Draw visits whose risk depends on the specialty and on the misses before."""
    generator = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "specialty": generator.choice(specialties, n),
            "age_group": generator.choice(["18-34", "65+"], n),
            "n_prior_no_shows": generator.integers(0, 5, n),
            "always_two": 2,
        }
    )
    log_odds = 0.8 * rows["n_prior_no_shows"] + (rows["specialty"] == "Urology") - 2
    return rows, generator.random(n) < 1 / (1 + np.exp(-log_odds))


def test_columns_are_sorted_levels_then_numbers_and_a_constant_has_scale_one():
    rows, missed = visits(200)
    fit = linear_model(WORDS, NUMBERS, logistic(L2_WEIGHT)).fit(rows, missed)
    assert linear_columns(fit) == [
        *(("specialty", level) for level in ("Cardiology", "Oncology", "Urology")),
        *(("age_group", level) for level in ("18-34", "65+")),
        *((feature, None) for feature in NUMBERS),
    ]
    scaled = fit[:-1].transform(rows)
    np.testing.assert_allclose(scaled[:, :-1].std(axis=0), 1)
    assert (scaled[:, -1] == 0).all()
    assert (fit[1].mean_[-1], fit[1].scale_[-1], fit[-1].coef_[0, -1]) == (2, 1, 0)


def test_a_level_that_was_never_seen_is_none_of_the_levels():
    rows, missed = visits(200)
    fit = linear_model(WORDS, NUMBERS, logistic(L2_WEIGHT)).fit(rows, missed)
    encoded = fit[0].transform(rows.head(1).assign(specialty="Dermatology"))
    assert encoded[0, :3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("regression", [logistic(L2_WEIGHT), Ridge(L2_WEIGHT, solver="cholesky")])
def test_the_order_of_rows_changes_no_coefficient(regression):
    rows, missed = visits(500)
    order = np.random.default_rng(1).permutation(len(rows))
    straight = linear_rows(linear_model(WORDS, NUMBERS, regression).fit(rows, missed))
    shuffled = linear_model(WORDS, NUMBERS, regression).fit(rows.iloc[order], missed[order])
    pd.testing.assert_frame_equal(
        tidy(straight), tidy(linear_rows(shuffled)), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("regression", [logistic(L2_WEIGHT), Ridge(L2_WEIGHT, solver="cholesky")])
def test_what_features_add_in_sql_is_what_scikit_learn_predicts(regression):
    """Applied to rows that were not learned from, some of a specialty that nobody had."""
    fit = linear_model(WORDS, NUMBERS, regression).fit(*visits(400))
    some_fit = tidy(linear_rows(fit))  # noqa: F841
    rows, _ = visits(300, seed=6, specialties=("Urology", "Dermatology"))
    rows["always_two"] = np.arange(300)
    sql = macros("linear_model")
    added = " + ".join(
        f"({sql.linear_contribution(feature, feature in NUMBERS)})" for feature in WORDS + NUMBERS
    )
    model = sql.linear_model("some_fit", WORDS + NUMBERS)
    query = f"select intercept + {added} from (select *, row_number() over () as place from rows)"
    found = duckdb.sql(f"{query}, ({model}) order by place").fetchnumpy()
    predict = getattr(fit, "decision_function", fit.predict)
    np.testing.assert_allclose(next(iter(found.values())), predict(rows), rtol=1e-9, atol=1e-9)


def test_reasons_are_features_that_add_to_the_risk_the_largest_first():
    sql = macros("linear_model")
    reasons = sql.linear_reasons(NUMBERS)
    places = ", ".join(sql.linear_reason(f"({reasons})", place) for place in (1, 2))
    given = pd.DataFrame(  # noqa: F841
        {"contribution_n_prior_no_shows": [1, -1, 2], "contribution_always_two": [3, -2, -2]}
    )
    assert duckdb.sql(f"select {places} from given").fetchall() == [
        ("always_two", "n_prior_no_shows"),
        (None, None),
        ("n_prior_no_shows", None),
    ]


def test_calibrated_probabilities_of_folds_have_the_mean_of_the_outcomes():
    rows, missed = visits(1000)
    scaled = (
        linear_model(WORDS, NUMBERS, logistic(L2_WEIGHT)).fit(rows, missed)[:-1].transform(rows)
    )
    slope, intercept = fit_platt(scaled, missed, seed=42)
    assert slope == pytest.approx(1, abs=0.15)
    folds = StratifiedKFold(5, shuffle=True, random_state=42)
    scores = cross_val_predict(
        logistic(L2_WEIGHT), scaled, missed, cv=folds, method="decision_function"
    )
    probability = 1 / (1 + np.exp(-(intercept + slope * scores)))
    assert probability.mean() == pytest.approx(missed.mean(), abs=1e-9)
    assert (probability * scores).mean() == pytest.approx((missed * scores).mean(), abs=1e-9)


def test_where_scores_say_nothing_everybody_has_the_base_rate():
    is_case = np.arange(100) % 4 == 0
    slope, intercept = fit_platt(np.zeros((100, 2)), is_case, seed=42)
    assert slope == 0
    assert 1 / (1 + np.exp(-intercept)) == pytest.approx(0.25)
