"""Tests of whether something happens more often here than there."""

import numpy as np
import pandas as pd
from scipy import stats
from wardhouse.ml.statistics import holm_of_groups

CONFIDENCE = 0.95


def compare(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Test each comparison of two counts, adjusted by Holm for those made side by side.

    Numbers of encounters in two spans of time are taken as Poisson counts and compared by the
    exact conditional test (Przyborowski and Wilenski 1940): given their sum, the one is binomial.
    Denied claims of a provider and of the others are shares of finite groups and compared by
    Fisher's exact test (1935). Either p-value is twice the smaller tail.

    Parameters
    ----------
    comparisons
        One row per comparison: `comparison` (referrer, month, service line or denials),
        `subject_key`, `month_start_date` (of comparison month, else null), and the counts `n` of
        `exposure` (days, or claims) here and `n_other` of `exposure_other` there.

    Returns
    -------
    DataFrame
        One row per comparison: `comparison`, `subject_key`, `month_start_date`, `rate_ratio` (null
        where nothing happened there) with its exact 95 % interval `rate_ratio_low` and
        `rate_ratio_high` (Clopper and Pearson 1934, infinite as null; null for denials, whose rates
        have intervals of their own), `p_value`, and `p_value_adjusted` over the comparisons of one
        kind, for months of one month.
    """
    n, exposure, n_other, exposure_other = (
        comparisons[name].to_numpy(float) for name in ("n", "exposure", "n_other", "exposure_other")
    )
    is_share = (comparisons["comparison"] == "denials").to_numpy(bool)
    total = n + n_other
    expected = exposure / (exposure + exposure_other)
    as_rate = _two_tails(
        stats.binom.cdf(n, total, expected), stats.binom.sf(n - 1, total, expected)
    )
    drawn = (exposure + exposure_other, total, exposure)
    as_share = _two_tails(stats.hypergeom.cdf(n, *drawn), stats.hypergeom.sf(n - 1, *drawn))
    low, high = _rate_ratio_interval(n, n_other, exposure_other / exposure)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (n / exposure) / (n_other / exposure_other)
    tested = comparisons[["comparison", "subject_key", "month_start_date"]].assign(
        rate_ratio=np.where(np.isfinite(ratio), ratio, np.nan),
        rate_ratio_low=np.where(is_share, np.nan, low),
        rate_ratio_high=np.where(is_share | np.isinf(high), np.nan, high),
        p_value=np.where(total > 0, np.where(is_share, as_share, as_rate), np.nan),
    )
    side_by_side = tested.groupby(["comparison", "month_start_date"], dropna=False)["p_value"]
    return tested.assign(p_value_adjusted=holm_of_groups(side_by_side))


def _two_tails(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    return np.minimum(1, 2 * np.minimum(lower, upper))


def _rate_ratio_interval(n: np.ndarray, n_other: np.ndarray, odds: np.ndarray) -> tuple:
    """Turn the exact interval of the binomial share into that of the ratio of the two rates."""
    tail = (1 - CONFIDENCE) / 2
    low = np.where(n > 0, stats.beta.ppf(tail, n, n_other + 1), 0)
    high = np.where(n_other > 0, stats.beta.ppf(1 - tail, n + 1, n_other), 1)
    with np.errstate(divide="ignore"):
        return low / (1 - low) * odds, high / (1 - high) * odds
