"""Statistics that several areas use."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from pandas.api.typing import SeriesGroupBy

MOST_FLIPPED = 20  # two to this power sign patterns are gone through
N_DRAWN = 9999


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for the number of tests by Holm's step-down method (Holm 1979).

    Parameters
    ----------
    p_values
        Shape (n,), each in 0..1, or not-a-number where nothing was tested.

    Returns
    -------
    ndarray
        Shape (n,), in the order of the input, each in 0..1; not-a-number stays, and counts as no
        test.
    """
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    stepped = np.maximum.accumulate(p_values[order] * factors)
    adjusted = np.full(len(p_values), np.nan)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def holm_of_groups(groups: SeriesGroupBy) -> pd.Series:
    """Adjust the p-values of each group of a column by `holm`, in the order of the rows."""
    return groups.transform(lambda p_values: holm(p_values.to_numpy(float)))


def sign_flip_p(differences: np.ndarray, seed: int) -> float:
    """Test paired differences against being as often below zero as above, one-sided.

    Parameters
    ----------
    differences
        Shape (n,), in any unit: above zero where what is tested is the better one.
    seed
        Of the draws, where there are too many sign patterns to go through.

    Returns
    -------
    float
        The share of sign patterns whose sum is at least the observed one, in (0, 1]: exact up to
        `MOST_FLIPPED` differences, beyond them from `N_DRAWN` draws, the observed one with them.

    Notes
    -----
    Fisher's randomisation test for pairs (Fisher 1935): it takes no distribution, and with n pairs
    no p-value is below 1 / 2^n.
    """
    observed = float(differences.sum())
    # Equal sums may differ in the last digits.
    least = observed - 1e-9 * float(np.abs(differences).sum())
    if len(differences) <= MOST_FLIPPED:
        sums = np.zeros(1)
        for difference in differences:
            sums = np.concatenate([sums + difference, sums - difference])
        return float(np.mean(sums >= least))
    generator = np.random.default_rng(seed)
    n_as_large = 0
    for _ in range(N_DRAWN):
        signs = generator.choice((-1.0, 1.0), len(differences))
        n_as_large += int(signs @ differences >= least)
    return (1 + n_as_large) / (1 + N_DRAWN)


def jackknife_ranks(n: int, level: float) -> tuple[int, int] | None:
    """Find which of n sorted lower and upper ends bound a jackknife+ interval.

    Parameters
    ----------
    n
        Rows learned from: each is left out once.
    level
        Share of intervals that shall hold the truth, in (0, 1).

    Returns
    -------
    tuple of int, or None
        The place of the lower end among `prediction - error` and of the upper one among
        `prediction + error`, from 1 and ascending; None where n rows cannot give the level.

    Notes
    -----
    Barber, Candès, Ramdas and Tibshirani (2021), equation 1.2.
    """
    slack = 1e-9  # 0.8 of 10 is 8 and not a little more
    upper = math.ceil(level * (n + 1) - slack)
    return (math.floor((1 - level) * (n + 1) + slack), upper) if upper <= n else None
