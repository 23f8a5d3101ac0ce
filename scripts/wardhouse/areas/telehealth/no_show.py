"""No-show risk: a logistic regression, calibrated, held against the overall rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
from wardhouse.ml.linear import L2_WEIGHT, fit_platt, linear_model, linear_rows, logistic
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import (
    MINIMUM_CASES,
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

NO_SHOW_LEVELS = (
    *("appointment_type", "day_name", "scheduled_hour", "previous_device_type"),
    *("age_group", "insurance", "specialty"),
)
NO_SHOW_NUMBERS = ("n_prior_appointments", "n_prior_no_shows")


def delong(is_case: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve and its standard error, by DeLong, DeLong and Clarke-Pearson (1988).

    Parameters
    ----------
    is_case : numpy.ndarray, shape (n,), bool
    score : numpy.ndarray, shape (n,)
        Higher for likelier cases; ties count half.

    Returns
    -------
    tuple of float
        Area in 0..1 and its standard error. Both need two cases and two others.

    Notes
    -----
    By mid-ranks (Sun and Xu 2014), in n log n.
    """
    from scipy.stats import rankdata

    case, other = score[is_case], score[~is_case]
    together = rankdata(np.concatenate([case, other]))
    above = (together[: len(case)] - rankdata(case)) / len(other)
    below = 1 - (together[len(case) :] - rankdata(other)) / len(case)
    variance = above.var(ddof=1) / len(case) + below.var(ddof=1) / len(other)
    return float(above.mean()), float(np.sqrt(variance))


def _judge_probabilities(
    is_case: np.ndarray, probability: np.ndarray, base_rate: float
) -> dict[str, float]:
    """Score probabilities of rows that nothing was learned from; both outcomes must be there."""
    area, error = delong(is_case, probability)
    n_top = max(1, len(is_case) // 10)
    top = np.argsort(-probability, kind="stable")[:n_top]
    brier = float(np.mean((probability - is_case) ** 2))
    brier_baseline = float(np.mean((base_rate - is_case) ** 2))
    low, high = max(0.0, area - Z_95 * error), min(1.0, area + Z_95 * error)
    return {
        "score": area,
        "score_low": low,
        "score_high": high,
        "baseline_score": 0.5,
        "brier": brier,
        "brier_baseline": brier_baseline,
        "lift_top_decile": float(is_case[top].mean() / is_case.mean()),
        "mean_probability": float(probability.mean()),
        "observed_rate": float(is_case.mean()),
        "is_reliable": float(low > 0.5 and brier < brier_baseline),
    }


def fit_no_show(
    appointments: pd.DataFrame, seed: int, train_share: float, max_rows: int
) -> pd.DataFrame:
    """Fit the risk that a booked appointment is missed, by logistic regression.

    Parameters
    ----------
    appointments : DataFrame
        Rows of `appointment_no_show_features` by time and identifier: `appointment_date`,
        `is_no_show`, each of `NO_SHOW_LEVELS` (words) and of `NO_SHOW_NUMBERS` (counts).
    seed : int
        Of folds and samples.
    train_share : float
        Share of the rows, the oldest, that is learned from.
    max_rows : int
        Rows learned from at most; above it a seeded sample.

    Returns
    -------
    DataFrame
        The tidy table. Score is the area under the ROC curve with DeLong's interval, its baseline
        0.5; reliable means that the interval is above it and the Brier score below that of the
        base rate. With fewer than `MINIMUM_ROWS` rows or `MINIMUM_CASES` of an outcome to learn
        from there are no coefficients; with fewer to score by there is no score. Neither is
        reliable.

    Notes
    -----
    L2 on standardised features (Hoerl and Kennard 1970), calibrated by Platt (1999) on
    out-of-fold scores of the training rows.
    """
    day = split_day(appointments["appointment_date"], train_share)
    is_old = is_before(appointments["appointment_date"], day)
    train, test = sampled(appointments[is_old], max_rows, seed), appointments[~is_old]
    missed = train["is_no_show"].to_numpy(bool)
    n_cases = int(min(missed.sum(), (~missed).sum()))
    metrics: dict[str, float] = {
        "n_rows": len(appointments),
        "n_fitted": len(train),
        "n_held_out": len(test),
    }
    base_rate = float(appointments["is_no_show"].mean() if train.empty else missed.mean())
    rows = [] if np.isnan(base_rate) else [value_row("baseline", "base_rate", base_rate)]
    if len(train) >= MINIMUM_ROWS and n_cases >= MINIMUM_CASES:
        with single_threaded():
            fit = linear_model(NO_SHOW_LEVELS, NO_SHOW_NUMBERS, logistic(L2_WEIGHT))
            fit.fit(train, missed)
            slope, intercept = fit_platt(fit[:-1].transform(train), missed, seed)
            rows += linear_rows(fit)
            rows += [value_row("calibration", "slope", slope)]
            rows += [value_row("calibration", "intercept", intercept)]
            came_out = test["is_no_show"].to_numpy(bool)
            if min(came_out.sum(), (~came_out).sum()) >= MINIMUM_CASES:
                log_odds = intercept + slope * fit.decision_function(test)
                metrics |= _judge_probabilities(came_out, 1 / (1 + np.exp(-log_odds)), base_rate)
    settings = {
        "seed": seed,
        "train_share": train_share,
        "max_rows": max_rows,
        "l2_weight": L2_WEIGHT,
    }
    return tidy_table(
        "appointment_no_show_risk",
        fingerprint(appointments),
        settings,
        with_verdict(metrics),
        rows,
        held_out_from(day),
    )
