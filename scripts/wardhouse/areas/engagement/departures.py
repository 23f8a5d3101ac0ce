"""Who leaves until the next date: a logistic regression, held against the weights of the seed.

It is fitted here and applied in SQL by the model `departure_risk`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from wardhouse.areas.engagement.vectors import first_people
from wardhouse.ml.linear import L2_WEIGHT, logistic
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import (
    COLUMNS,
    MINIMUM_CASES,
    MINIMUM_ROWS,
    fingerprint,
    held_out_from,
    sampled,
    tidy_table,
    value_row,
    value_rows,
)

N_DRAWS = 500
REGRESSION, WEIGHTS = "regression", "weights"


class Transitions(NamedTuple):
    """Profiles of people of one type, n by date and person, and who of them left until the next.

    Attributes
    ----------
    features : tuple of str
        Names of d features.
    values : ndarray, shape (n, d)
        In the units of the features.
    dates : ndarray of datetime64, shape (n,)
    has_left : ndarray of bool, shape (n,)
    risk_by_weights : ndarray, shape (n,)
        In 0..1.
    """

    features: tuple[str, ...]
    values: np.ndarray
    dates: np.ndarray
    has_left: np.ndarray
    risk_by_weights: np.ndarray


class Intervals(NamedTuple):
    """Areas under the ROC curve of two scores of the same rows, and how they differ.

    Attributes
    ----------
    areas : ndarray, shape (2,)
        In 0..1.
    low, high : ndarray, shape (2,)
        Ends of their 95 % intervals.
    difference, difference_low, difference_high : float
        The first less the second, and its 95 % interval over the same draws.
    """

    areas: np.ndarray
    low: np.ndarray
    high: np.ndarray
    difference: float
    difference_low: float
    difference_high: float


def compare_areas(is_case: np.ndarray, scores: np.ndarray, seed: int) -> Intervals:
    """Hold two scores against each other by the area under the ROC curve.

    Parameters
    ----------
    is_case : ndarray of bool, shape (n,)
        At least one case and one other.
    scores : ndarray, shape (2, n)
        Higher for likelier cases; ties count half.
    seed : int
        Of the draws of rows with replacement; the draws are the same for both.

    Returns
    -------
    Intervals
        Percentiles over the draws in which there are both outcomes (Efron 1979).
    """
    case, other = np.flatnonzero(is_case), np.flatnonzero(~is_case)
    differences = scores[:, case, None] - scores[:, None, other]
    is_right = (differences > 0) + 0.5 * (differences == 0)
    generator = np.random.default_rng(seed)
    n = len(is_case)
    counts = generator.multinomial(n, np.full(n, 1 / n), N_DRAWS).astype(float)
    of_cases, of_others = counts[:, case], counts[:, other]
    n_pairs = of_cases.sum(axis=1) * of_others.sum(axis=1)
    has_both = n_pairs > 0
    drawn = np.array([((of_cases @ right) * of_others).sum(axis=1) for right in is_right])
    drawn = drawn[:, has_both] / n_pairs[has_both]
    areas = is_right.mean(axis=(1, 2))
    (low, high), ends = (
        np.quantile(drawn, [0.025, 0.975], axis=1),
        np.quantile(drawn[0] - drawn[1], [0.025, 0.975]),
    )
    return Intervals(areas, low, high, float(areas[0] - areas[1]), float(ends[0]), float(ends[1]))


def read_transitions(features: Any, max_people: int) -> dict[str, Transitions]:
    """Read the profiles whose person is known to have stayed or left, by type of person.

    Parameters
    ----------
    features
        DuckDB relation of the model `departure_features`.
    max_people : int
        People of a type read at most.

    Returns
    -------
    dict of str to Transitions
        Types of whom nothing is known are not there.
    """
    known = features.filter(
        "has_left is not null and risk_by_weights is not null and feature_values is not null"
    )
    known = first_people(known, max_people)
    types = known.aggregate("person_type, any_value(features) as features").order("person_type")
    read = {}
    for person_type, names in types.fetchall():
        columns = ["as_of_date", "person_key", "has_left", "risk_by_weights"]
        columns += [f"feature_values[{1 + place}] as value_{place}" for place in range(len(names))]
        own = known.filter(f"person_type = '{person_type}'").project(", ".join(columns))
        found = own.order("as_of_date, person_key").fetchnumpy()
        read[person_type] = Transitions(
            tuple(names),
            np.column_stack([np.asarray(found[f"value_{p}"], float) for p in range(len(names))]),
            np.asarray(found["as_of_date"], "datetime64[D]"),
            np.asarray(found["has_left"], bool),
            np.asarray(found["risk_by_weights"], float),
        )
    return read


def fit_departures(transitions: dict[str, Transitions], seed: int, max_rows: int) -> pd.DataFrame:
    """Fit who leaves until the next date, patients and physicians apart.

    Parameters
    ----------
    transitions : dict of str to Transitions
        By type of person.
    seed : int
        Of samples and draws.
    max_rows : int
        Rows judged on at most; above it a seeded sample.

    Returns
    -------
    DataFrame
        `person_type` and the columns of the tidy table, a fit for each type.
    """
    tables = [
        _fit_type(person_type, rows, seed, max_rows).assign(person_type=person_type)
        for person_type, rows in sorted(transitions.items())
    ]
    columns = ["person_type", *COLUMNS]
    if not tables:
        texts = {name: "string" for name in columns if name != "value"}
        return pd.DataFrame(columns=columns).astype(texts | {"value": "float64"})
    return pd.concat(tables, ignore_index=True)[columns]


def _fit_type(person_type: str, rows: Transitions, seed: int, max_rows: int) -> pd.DataFrame:
    """Fit the rows of one type: on all dates but the last one, judged on the last one.

    Returns
    -------
    DataFrame
        The tidy table. Score is the area under the ROC curve of the regression and its baseline
        that of the weights, over the same people of the last date. Reliable means that the
        interval of the difference is above zero; only then is `better` the regression. With fewer
        than `MINIMUM_ROWS` rows or `MINIMUM_CASES` of an outcome to learn from or to judge on,
        `better` is the weights, and `reason` says why.
    """
    features, values, dates, has_left, risk_by_weights = rows
    day = dates.max()
    is_old = dates < day
    judged = sampled(np.flatnonzero(~is_old), max_rows, seed)
    metrics: dict[str, float] = {
        "n_rows": len(dates),
        "n_fitted": int(is_old.sum()),
        "n_left": int(has_left[is_old].sum()),
        "n_held_out": len(judged),
        "n_left_held_out": int(has_left[judged].sum()),
        "is_reliable": 0.0,
    }
    parameters: list[dict] = []
    reason = _too_few(has_left[is_old], has_left[judged])
    if reason is None:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        with single_threaded():
            fit = make_pipeline(StandardScaler(), logistic(L2_WEIGHT))
            fit.fit(values[is_old], has_left[is_old])
            probability = fit.predict_proba(values[judged])[:, 1]
        scaler, regression = fit
        parameters = [
            value_row("intercept", "intercept", regression.intercept_[0]),
            *value_rows("scaler_mean", features, scaler.mean_),
            *value_rows("scaler_scale", features, scaler.scale_),
            *value_rows("coefficient", features, regression.coef_[0]),
        ]
        scores = np.array([probability, risk_by_weights[judged]])
        compared = compare_areas(has_left[judged], scores, seed)
        metrics |= {
            **dict(zip(("score", "baseline_score"), compared.areas.tolist(), strict=True)),
            **dict(zip(("score_low", "baseline_low"), compared.low.tolist(), strict=True)),
            **dict(zip(("score_high", "baseline_high"), compared.high.tolist(), strict=True)),
            "difference": compared.difference,
            "difference_low": compared.difference_low,
            "difference_high": compared.difference_high,
            "mean_probability": float(probability.mean()),
            "observed_rate": float(has_left[judged].mean()),
            "is_reliable": float(compared.difference_low > 0),
        }
        if not metrics["is_reliable"]:
            reason = "The regression is not better than the weights beyond chance."
    further = {"better": WEIGHTS if reason else REGRESSION, "reason": reason}
    return tidy_table(
        f"departure_{person_type}",
        fingerprint(values, dates.astype("int64"), has_left, risk_by_weights),
        {
            "features": list(features),
            "l2_weight": L2_WEIGHT,
            "max_rows": max_rows,
            "n_draws": N_DRAWS,
            "seed": seed,
        },
        metrics,
        parameters,
        further | held_out_from(pd.Timestamp(day)),
    )


def _too_few(learned: np.ndarray, judged: np.ndarray) -> str | None:
    """Say why nothing can be learned or judged, each of shape (n,), True for who left."""
    for what, has_left in (("learn from", learned), ("judge by", judged)):
        n_left = int(has_left.sum())
        if len(has_left) < MINIMUM_ROWS or min(n_left, len(has_left) - n_left) < MINIMUM_CASES:
            return f"Too few to {what}: {n_left} of {len(has_left)} left."
    return None
