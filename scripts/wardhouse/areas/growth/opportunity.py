"""What a provider's opportunity is worth, by ridge regression over a handful of providers.

It is fitted here and applied in SQL by the model `opportunity_predictions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from wardhouse.ml.statistics import jackknife_ranks, sign_flip_p
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import fingerprint, sampled, tidy_table, value_row, value_rows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

STRENGTHS = np.logspace(-2, 4, 25)
FEWEST = 5  # providers; fewer give no prediction
FEWEST_RELIABLE = 8
HIGHEST_P = 0.1


@dataclass(frozen=True)
class LeftOut:
    """Fits that have each left one of n providers out.

    Attributes
    ----------
    intercepts : ndarray, shape (n,)
        In units of the target.
    weights : ndarray, shape (n, d)
        In units of the target per unit of the feature.
    errors : ndarray, shape (n,)
        Absolute error on the provider left out, in units of the target.
    """

    intercepts: np.ndarray
    weights: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True)
class Judgement:
    """Whether predictions of providers left out are better than the mean of the others.

    Attributes
    ----------
    n : int
    error, error_of_mean : float
        Mean absolute errors, in units of the target.
    p_value : float
        Of the sign-flip test of the pairs.
    """

    n: int
    error: float
    error_of_mean: float
    p_value: float

    @property
    def is_reliable(self) -> bool:
        """Whether the error is lower, hardly by chance, and over enough providers."""
        return (
            self.error < self.error_of_mean
            and self.p_value <= HIGHEST_P
            and self.n >= FEWEST_RELIABLE
        )

    @property
    def verdict(self) -> str:
        """One sentence with the evidence, for people."""
        evidence = (
            f"{self.n} providers, each left out once, are missed by {self.error:,.0f} on average, "
            f"and by {self.error_of_mean:,.0f} with the mean of the others "
            f"(sign-flip p {self.p_value:.2f})"
        )
        if self.is_reliable:
            return f"Reliable: {evidence}."
        few = "" if self.n >= FEWEST_RELIABLE else f"; fewer than {FEWEST_RELIABLE} prove nothing"
        return f"Not reliable: {evidence}{few}."


def ridge() -> Pipeline:
    """Return an unfitted ridge regression on standardised features.

    Its strength is the one of `STRENGTHS` with the least squared error when each row that it is
    fitted on is left out.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(STRENGTHS))


def leave_one_out(values: np.ndarray, target: np.ndarray) -> LeftOut:
    """Fit `ridge` without each provider in turn: scaler and strength are the others' alone.

    Parameters
    ----------
    values : ndarray, shape (n, d)
        Features, each in its own unit.
    target : ndarray, shape (n,)
    """
    intercepts, weights = np.empty(len(values)), np.empty(values.shape)
    for left_out in range(len(values)):
        others = np.arange(len(values)) != left_out
        scaler, regression = ridge().fit(values[others], target[others])
        intercepts[left_out], weights[left_out] = _line(scaler, regression)
    predicted = intercepts + (weights * values).sum(axis=1)
    return LeftOut(intercepts, weights, np.abs(target - predicted))


def _line(scaler, regression) -> tuple[float, np.ndarray]:
    """Return intercept and weights of a fitted `ridge` in units of the features."""
    weights = regression.coef_ / scaler.scale_
    return regression.intercept_ - weights @ scaler.mean_, weights


def errors_of_mean(target: np.ndarray) -> np.ndarray:
    """Return how far each value, shape (n,), lies from the mean of the others."""
    return np.abs(target - (target.sum() - target) / (len(target) - 1))


def errors_of_rivals(values: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Return mean absolute errors of what is not used, each provider left out once.

    Parameters
    ----------
    values : ndarray, shape (n, d)
    target : ndarray, shape (n,)

    Returns
    -------
    dict of str to float
        `mae_least_squares`: ordinary least squares. `mae_same_folds`: ridge with the one strength
        that does best on the very providers that judge it, which is no evidence.
    """
    from sklearn.linear_model import LinearRegression
    from sklearn.preprocessing import StandardScaler

    least_squares, by_strength = np.empty(len(values)), np.empty((len(values), len(STRENGTHS)))
    for left_out in range(len(values)):
        others = np.arange(len(values)) != left_out
        scaler = StandardScaler().fit(values[others])
        scaled, own = scaler.transform(values[others]), scaler.transform(values[[left_out]])
        plain = LinearRegression().fit(scaled, target[others])
        least_squares[left_out] = target[left_out] - plain.predict(own)[0]
        # All strengths from one decomposition.
        left, sizes, right = np.linalg.svd(scaled, full_matrices=False)
        mean = target[others].mean()
        shrunk = sizes / (sizes**2 + STRENGTHS[:, None]) * (left.T @ (target[others] - mean))
        by_strength[left_out] = target[left_out] - mean - shrunk @ right @ own[0]
    return {
        "mae_least_squares": float(np.abs(least_squares).mean()),
        "mae_same_folds": float(np.abs(by_strength).mean(axis=0).min()),
    }


def judge(errors: np.ndarray, target: np.ndarray, seed: int) -> Judgement:
    """Hold absolute errors on providers left out, shape (n,), against the mean of the others."""
    plain = errors_of_mean(target)
    p_value = sign_flip_p(plain - errors, seed)
    return Judgement(len(target), float(errors.mean()), float(plain.mean()), p_value)


def fit_opportunity(
    features: pd.DataFrame, target: str, level: float, seed: int, max_rows: int
) -> pd.DataFrame:
    """Fit a provider's opportunity and tell how far to trust it.

    Parameters
    ----------
    features : DataFrame
        Rows of `opportunity_features`: `provider_key`, `feature`, `value` and `target`, one for
        each provider and feature, in any order. A provider without the target or without one of
        the features is not learned from.
    target : str
        What the target is, for the settings.
    level : float
        Of the intervals, in (0, 1).
    seed : int
        Of the sample, and of the test where it draws.
    max_rows : int
        Providers fitted at most; above it a seeded sample without replacement is fitted.

    Returns
    -------
    DataFrame
        The tidy table. Beside scaler, coefficients and intercept it has the lines that SQL scores
        by, in units of the features: `line_intercept` and `line_weight` of the fit on `all`, and
        of those that left one provider out by its key, with `line_error`. Settings `verdict` and,
        where there is no interval, `interval_reason`. Score is the share of the baseline's
        absolute error that the model takes away, its baseline 0. With fewer than `FEWEST`
        providers there is no parameter.

    Notes
    -----
    Ridge regression (Hoerl and Kennard 1970). The fits that left one out give the jackknife+
    interval (Barber, Candès, Ramdas and Tibshirani 2021): SQL needs no more than these lines.
    """
    known = features.dropna().sort_values(["provider_key", "feature"], kind="stable")
    names = sorted(features["feature"].unique())
    wide = known.pivot(index="provider_key", columns="feature", values="value").reindex(
        columns=names
    )
    complete = sampled(wide.dropna(), max_rows, seed)
    targets = known.drop_duplicates("provider_key").set_index("provider_key")["target"]
    values = complete.to_numpy(float)
    wanted = targets.reindex(complete.index).to_numpy(float)
    n = len(values)
    metrics: dict[str, float] = {
        "n_rows": features["provider_key"].nunique(),
        "n_fitted": n,
        "baseline_score": 0.0,
        "is_reliable": 0.0,
    }
    further: dict[str, str | None] = {"interval_reason": None}
    rows: list[dict] = []
    if n < FEWEST or not names:
        further["verdict"] = (
            f"No prediction: {n} providers have the target and every feature, and at least "
            f"{FEWEST} are needed."
        )
    else:
        with single_threaded():
            scaler, regression = ridge().fit(values, wanted)
            left_out = leave_one_out(values, wanted)
            metrics |= errors_of_rivals(values, wanted)
        rows = [
            value_row("intercept", "intercept", regression.intercept_),
            *value_rows("scaler_mean", names, scaler.mean_),
            *value_rows("scaler_scale", names, scaler.scale_),
            *value_rows("coefficient", names, regression.coef_),
            *_line_rows("all", names, *_line(scaler, regression)),
        ]
        parts = zip(
            complete.index, left_out.intercepts, left_out.weights, left_out.errors, strict=True
        )
        for key, intercept, weights, error in parts:
            rows += _line_rows(str(key), names, intercept, weights)
            rows.append(value_row("line_error", "error", error, str(key)))
        judgement = judge(left_out.errors, wanted, seed)
        metrics |= _metrics(judgement, float(regression.alpha_))
        further["verdict"] = judgement.verdict
        if ranks := jackknife_ranks(n, level):
            metrics |= {"low_rank": ranks[0], "high_rank": ranks[1]}
        else:
            further["interval_reason"] = (
                f"No {100 * level:g} % interval can be had from {n} providers: it would be the "
                f"{np.ceil(level * (n + 1)):.0f}th of {n} values."
            )
    settings = {"seed": seed, "max_rows": max_rows, "target": target, "level": level}
    settings["features"] = names
    return tidy_table(
        "opportunity", fingerprint(known.reset_index(drop=True)), settings, metrics, rows, further
    )


def _line_rows(level: str, names: list[str], intercept: float, weights: np.ndarray) -> list[dict]:
    return [
        value_row("line_intercept", "intercept", intercept, level),
        *value_rows("line_weight", names, weights, level),
    ]


def _metrics(judgement: Judgement, strength: float) -> dict[str, float]:
    found = {
        "mae": judgement.error,
        "mae_of_mean": judgement.error_of_mean,
        "p_value": judgement.p_value,
        "strength": strength,
        "is_reliable": float(judgement.is_reliable),
    }
    if judgement.error_of_mean > 0:
        found["score"] = 1 - judgement.error / judgement.error_of_mean
    return found
