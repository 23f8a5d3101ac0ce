"""Linear models that SQL can apply: standardised columns, coefficients, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wardhouse.ml.tidy import MINIMUM_CASES, value_row

L2_WEIGHT = 10.0  # on standardised features, in both linear models


@dataclass(frozen=True)
class Design:
    """How features become the columns of a linear model, learned from m rows.

    Attributes
    ----------
    columns : list of (str, str or None)
        Feature and level of each of the d columns; a number has no level.
    mean, scale : numpy.ndarray, shape (d,)
        In units of the feature; a level counts as 0 or 1. A constant has scale 1.
    """

    columns: list[tuple[str, str | None]]
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, rows: pd.DataFrame, levels: tuple[str, ...], numbers: tuple[str, ...]) -> Design:
        """Take the levels, means and deviations of these rows."""
        columns: list[tuple[str, str | None]] = [
            (feature, str(level)) for feature in levels for level in sorted(rows[feature].unique())
        ]
        columns += [(feature, None) for feature in numbers]
        unscaled = cls(columns, np.zeros(len(columns)), np.ones(len(columns))).matrix(rows)
        deviation = unscaled.std(axis=0)
        return cls(columns, unscaled.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def matrix(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the standardised columns, shape (n, d). An unseen level is none of the levels."""
        raw = np.column_stack(
            [
                rows[feature].to_numpy(float)
                if level is None
                else (rows[feature] == level).to_numpy(float)
                for feature, level in self.columns
            ]
        )
        return (raw - self.mean) / self.scale


def linear_rows(design: Design, coefficients: np.ndarray, intercept: float) -> list[dict]:
    """Tell a linear model in tidy rows."""
    rows = [value_row("intercept", "intercept", intercept)]
    for component, values in (
        ("scaler_mean", design.mean),
        ("scaler_scale", design.scale),
        ("coefficient", coefficients),
    ):
        rows += [
            value_row(component, feature, value, level)
            for (feature, level), value in zip(design.columns, values, strict=True)
        ]
    return rows


def fit_logistic(weight: float):
    """Return an unfitted logistic regression with an L2 penalty of this weight."""
    from sklearn.linear_model import LogisticRegression

    strength = 1 / weight if weight else np.inf
    # Newton's method to a tight bound: the order of columns and threads cannot show.
    return LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-12, max_iter=200)


def fit_platt(standard: np.ndarray, is_case: np.ndarray, seed: int) -> tuple[float, float]:
    """Slope and intercept that turn scores into log-odds (Platt 1999), from out-of-fold scores.

    Where scores of rows not learned from say nothing or the contrary, the slope is 0: everybody
    has the base rate.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(MINIMUM_CASES, shuffle=True, random_state=seed)
    scores = cross_val_predict(
        fit_logistic(L2_WEIGHT), standard, is_case, cv=folds, method="decision_function"
    )
    share = is_case.mean()
    flat = 0.0, float(np.log(share / (1 - share)))
    if scores.std() < 1e-9:
        return flat
    fit = fit_logistic(0).fit(scores[:, None], is_case)
    slope, intercept = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    return (slope, intercept) if slope > 0 else flat
