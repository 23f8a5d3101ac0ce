"""Linear models that SQL can apply: scaled columns, coefficients, calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardhouse.ml.tidy import MINIMUM_CASES, value_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

L2_WEIGHT = 10.0  # on scaled features, in both linear models


def linear_model(words: Sequence[str], numbers: Sequence[str], regression) -> Pipeline:
    """Return an unfitted regression on scaled features.

    Parameters
    ----------
    words : sequence of str
        Features of which each level that was learned from, in sorted order, is a column of 0 and
        1. An unseen level is none of the levels.
    numbers : sequence of str
        Features that are a column as they are.
    regression
        An unfitted linear model of scikit-learn.

    Returns
    -------
    Pipeline
        Encoder, scaler, regression. A constant column has scale 1.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encoder = ColumnTransformer(
        [
            ("word", OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(words)),
            ("number", "passthrough", list(numbers)),
        ]
    )
    return make_pipeline(encoder, StandardScaler(), regression)


def linear_columns(fit: Pipeline) -> list[tuple[str, str | None]]:
    """Name feature and level of each column of a fitted `linear_model`; a number has no level."""
    encoder = fit[0]
    (_, _, words), (_, _, numbers) = encoder.transformers
    levels = encoder.named_transformers_["word"].categories_
    columns = [
        (feature, str(level))
        for feature, known in zip(words, levels, strict=True)
        for level in known
    ]
    return [*columns, *((feature, None) for feature in numbers)]


def linear_rows(fit: Pipeline) -> list[dict]:
    """Tell a fitted `linear_model` in tidy rows."""
    _, scaler, regression = fit
    rows = [value_row("intercept", "intercept", np.ravel(regression.intercept_)[0])]
    for component, values in (
        ("scaler_mean", scaler.mean_),
        ("scaler_scale", scaler.scale_),
        ("coefficient", np.ravel(regression.coef_)),
    ):
        rows += [
            value_row(component, feature, value, level)
            for (feature, level), value in zip(linear_columns(fit), values, strict=True)
        ]
    return rows


def logistic(weight: float) -> LogisticRegression:
    """Return an unfitted logistic regression with an L2 penalty of this weight."""
    from sklearn.linear_model import LogisticRegression

    strength = 1 / weight if weight else np.inf
    # Newton's method to a tight bound: the order of columns and threads cannot show.
    return LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-12, max_iter=200)


def fit_platt(scaled: np.ndarray, is_case: np.ndarray, seed: int) -> tuple[float, float]:
    """Slope and intercept that turn scores into log-odds (Platt 1999), from out-of-fold scores.

    Where scores of rows not learned from say nothing or the contrary, the slope is 0: everybody
    has the base rate.

    Notes
    -----
    scikit-learn's CalibratedClassifierCV is not used: it draws the outcomes towards one half by
    Platt's prior, stops at a loose bound, and keeps a slope that points the wrong way.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(MINIMUM_CASES, shuffle=True, random_state=seed)
    scores = cross_val_predict(
        logistic(L2_WEIGHT), scaled, is_case, cv=folds, method="decision_function"
    )
    share = is_case.mean()
    flat = 0.0, float(np.log(share / (1 - share)))
    if scores.std() < 1e-9:
        return flat
    fit = logistic(0).fit(scores[:, None], is_case)
    slope, intercept = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    return (slope, intercept) if slope > 0 else flat
