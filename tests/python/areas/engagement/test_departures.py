"""Who leaves: areas held against scikit-learn, and when the regression is believed."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from wardhouse.areas.engagement.departures import (
    compare_areas,
    fit_departures,
    read_transitions,
)
from wardhouse.ml.tidy import COLUMNS


def transitions(n=400, dates=3, seed=0, risk=None, weight=3.0):
    """Return people on dates, of whom those with a high first feature leave."""
    generator = np.random.default_rng(seed)
    frames = []
    for date in pd.date_range("2025-01-01", periods=dates, freq="91D"):
        values = generator.normal(size=(n, 2)) * [1, 5] + [50, 7]
        log_odds = weight * (values[:, 0] - 50) - 2
        frames.append(
            pd.DataFrame(
                {
                    "person_type": "patient",
                    "person_key": np.arange(n),
                    "as_of_date": date,
                    "has_left": generator.random(n) < 1 / (1 + np.exp(-log_odds)),
                    "risk_by_weights": generator.random(n) if risk is None else risk(values),
                    "features": [["a", "b"]] * n,
                    "feature_values": list(values),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def fitted(rows, max_rows=5000, max_people=10_000):
    """Fit rows as the model of dbt does."""
    with duckdb.connect() as connection:
        connection.register("rows_of_people", rows)
        relation = connection.sql("select * from rows_of_people")
        return fit_departures(read_transitions(relation, max_people), 42, max_rows)


def told(table, component):
    rows = table[table["component"] == component].set_index("feature")
    return (rows["text"] if component == "setting" else rows["value"]).to_dict()


def test_areas_are_those_of_scikit_learn():
    generator = np.random.default_rng(5)
    is_case = generator.random(300) < 0.2
    scores = np.array([is_case + generator.normal(size=300), generator.integers(0, 5, 300)])
    compared = compare_areas(is_case, scores, 1)
    exact = [roc_auc_score(is_case, score) for score in scores]
    np.testing.assert_allclose(compared.areas, exact)
    assert (compared.low < exact).all()
    assert (exact < compared.high).all()
    assert compared.difference == pytest.approx(exact[0] - exact[1])


@pytest.mark.system
def test_draws_are_of_people_with_replacement():
    generator = np.random.default_rng(6)
    is_case = generator.random(200) < 0.3
    scores = np.array([is_case + generator.normal(size=200), generator.normal(size=200)])
    compared = compare_areas(is_case, scores, 2)
    drawn = []
    for _ in range(200):
        rows = generator.integers(0, 200, 200)
        drawn.append([roc_auc_score(is_case[rows], score[rows]) for score in scores])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(compared.low, low, atol=0.03)
    np.testing.assert_allclose(compared.high, high, atol=0.03)


def test_a_score_is_no_better_than_itself():
    is_case = np.arange(60) % 3 == 0
    score = np.random.default_rng(1).normal(size=60)
    compared = compare_areas(is_case, np.array([score, score]), 1)
    assert (compared.difference_low, compared.difference_high) == (0, 0)


def test_regression_is_named_where_it_is_better_beyond_chance():
    table = fitted(transitions())
    metrics, settings = told(table, "metric"), told(table, "setting")
    assert settings["better"] == "regression"
    assert pd.isna(settings["reason"])
    assert metrics["score"] > 0.9 > metrics["baseline_score"]
    assert metrics["difference_low"] > 0
    assert metrics["n_fitted"] == 800
    assert metrics["n_held_out"] == 400
    assert settings["held_out_from"] == "2025-07-02"


def test_weights_are_named_where_they_are_as_good():
    as_good = transitions(risk=lambda values: values[:, 0])
    table = fitted(as_good)
    settings = told(table, "setting")
    assert settings["better"] == "weights"
    assert settings["reason"] == "The regression is not better than the weights beyond chance."
    assert told(table, "metric")["is_reliable"] == 0


@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_tells_who_leaves_weights_are_named(seed):
    table = fitted(transitions(weight=0.0, seed=seed))
    assert told(table, "setting")["better"] == "weights"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (transitions(dates=1), "Too few to learn from: 0 of 0 left."),
        (transitions(n=8), "Too few to learn from:"),
        (
            transitions().assign(has_left=lambda rows: rows.person_key == 1),
            "Too few to learn from:",
        ),
        (
            transitions().assign(
                has_left=lambda rows: rows.has_left & (rows.as_of_date < rows.as_of_date.max())
            ),
            "Too few to judge by: 0 of 400 left.",
        ),
    ],
    ids=["one date", "few people", "few who leave", "nobody leaves at last"],
)
def test_few_departures_are_left_to_the_weights(rows, said):
    table = fitted(rows)
    settings = told(table, "setting")
    assert settings["better"] == "weights"
    assert settings["reason"].startswith(said)
    assert not told(table, "coefficient")
    assert "score" not in told(table, "metric")


def test_coefficients_give_the_probabilities_again():
    rows = transitions()
    table = fitted(rows)
    parts = {name: told(table, name) for name in ("scaler_mean", "scaler_scale", "coefficient")}
    log_odds = told(table, "intercept")["intercept"] + sum(
        parts["coefficient"][name]
        * (rows.feature_values.str[place] - parts["scaler_mean"][name])
        / parts["scaler_scale"][name]
        for place, name in enumerate("ab")
    )
    last = rows.as_of_date == rows.as_of_date.max()
    probability = 1 / (1 + np.exp(-log_odds[last]))
    assert probability.mean() == pytest.approx(told(table, "metric")["mean_probability"])
    assert roc_auc_score(rows.has_left[last], probability) == pytest.approx(
        told(table, "metric")["score"]
    )


def test_types_are_fitted_apart_and_none_gives_no_rows():
    both = pd.concat([transitions(), transitions(seed=1).assign(person_type="physician")])
    table = fitted(both.reset_index(drop=True))
    assert table["person_type"].unique().tolist() == ["patient", "physician"]
    tasks = table[table["feature"] == "task"]
    assert tasks["text"].tolist() == ["departure_patient", "departure_physician"]
    nobody = fitted(both[:0])
    assert nobody.empty
    assert list(nobody.columns) == ["person_type", *COLUMNS]


def test_many_are_judged_on_a_sample():
    table = fitted(transitions(), max_rows=150)
    metrics = told(table, "metric")
    assert (metrics["n_fitted"], metrics["n_held_out"]) == (800, 150)


def test_of_many_people_a_sample_is_read():
    rows = transitions()
    metrics = told(fitted(rows, max_people=100), "metric")
    assert (metrics["n_fitted"], metrics["n_held_out"]) == (200, 100)


def test_order_of_rows_does_not_matter_and_what_is_not_known_is_not_read():
    rows = transitions()
    nothing = pd.DataFrame({"person_type": ["patient"] * 3, "person_key": [1, 2, 3]})
    nothing["has_left"] = [None, True, True]
    nothing["risk_by_weights"] = [0.5, None, 0.5]
    shuffled = pd.concat([rows.sample(frac=1, random_state=1), nothing], ignore_index=True)
    pd.testing.assert_frame_equal(fitted(shuffled), fitted(rows))
