"""How long a visit will take: a linear regression, held against the overall mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
from wardhouse.ml.linear import L2_WEIGHT, linear_model, linear_rows
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import (
    MINIMUM_ROWS,
    Z_95,
    fingerprint,
    held_out_from,
    is_before,
    sampled,
    split_day,
    tidy_table,
    value_row,
    with_verdict,
)

DURATION_LEVELS = ("appointment_type", "specialty", "age_group")


def _judge_forecasts(actual: np.ndarray, forecast: np.ndarray, mean: np.ndarray) -> dict:
    """Score forecasts in minutes against means, by what they take off the squared error."""
    error, plain = actual - forecast, actual - mean
    square_plain = float(np.mean(plain**2))
    found = {
        "mae": float(np.mean(np.abs(error))),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae_baseline": float(np.mean(np.abs(plain))),
        "rmse_baseline": float(np.sqrt(square_plain)),
        "baseline_score": 0.0,
    }
    if square_plain == 0:
        return found
    gain = (plain**2 - error**2) / square_plain
    margin = Z_95 * float(gain.std(ddof=1)) / np.sqrt(len(gain))
    score = float(gain.mean())
    return found | {"score": score, "score_low": score - margin, "score_high": score + margin}


def fit_duration(
    appointments: pd.DataFrame, seed: int, train_share: float, max_rows: int
) -> pd.DataFrame:
    """Fit the minutes that a visit takes, by ridge regression.

    Parameters
    ----------
    appointments : DataFrame
        Rows of `appointment_duration_features` by time and identifier: `appointment_date`,
        `duration_minutes` (not-a-number where the visit did not take place) and each of
        `DURATION_LEVELS`.
    seed, train_share, max_rows
        As in `fit_no_show`.

    Returns
    -------
    DataFrame
        The tidy table. The baseline is the mean by appointment type of the rows learned from, of
        all of them for an unseen type. Score is the share of the baseline's squared error that
        the model takes away out of time, its baseline 0. With fewer than `MINIMUM_ROWS` visits to
        learn from there are no coefficients, with fewer to score by no score.

    Notes
    -----
    Ridge regression (Hoerl and Kennard 1970) on standardised dummies. The interval is that of the
    mean difference of losses (Diebold and Mariano 1995), visits taken as independent.
    """
    from sklearn.linear_model import Ridge

    visits = appointments[appointments["duration_minutes"].notna()]
    day = split_day(visits["appointment_date"], train_share)
    is_old = is_before(visits["appointment_date"], day)
    train, test = sampled(visits[is_old], max_rows, seed), visits[~is_old]
    metrics: dict[str, float] = {
        "n_rows": len(appointments),
        "n_fitted": len(train),
        "n_held_out": len(test),
    }
    rows: list[dict] = []
    if len(train) >= MINIMUM_ROWS:
        minutes = train["duration_minutes"].to_numpy(float)
        means = train.groupby("appointment_type")["duration_minutes"].mean()
        rows = [value_row("baseline", "mean_minutes", minutes.mean())]
        rows += [
            value_row("baseline", "mean_minutes", mean, level) for level, mean in means.items()
        ]
        with single_threaded():
            fit = linear_model(DURATION_LEVELS, (), Ridge(alpha=L2_WEIGHT, solver="cholesky"))
            rows += linear_rows(fit.fit(train, minutes))
            if len(test) >= MINIMUM_ROWS:
                plain = test["appointment_type"].map(means).fillna(minutes.mean()).to_numpy(float)
                forecast = fit.predict(test)
                actual = test["duration_minutes"].to_numpy(float)
                metrics |= _judge_forecasts(actual, forecast, plain)
    settings = {
        "seed": seed,
        "train_share": train_share,
        "max_rows": max_rows,
        "l2_weight": L2_WEIGHT,
    }
    return tidy_table(
        "appointment_duration_forecast",
        fingerprint(appointments),
        settings,
        with_verdict(metrics),
        rows,
        held_out_from(day),
    )
