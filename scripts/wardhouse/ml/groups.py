"""Whether there are groups at all: clusters held against data that have none.

The null is a Gaussian copula: rows with the data's own marginals and own rank correlation, and
nothing else. Shuffled columns are no null, because any correlated cloud splits better than they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from wardhouse.ml.k_means import k_means
from wardhouse.ml.tidy import MINIMUM_ROWS, sampled

KS = range(2, 8)
DRAWS = 99
LARGEST_P = 0.05
UPPER = 0.95  # quantile of the null that a statistic is held against
MATCHING_ROWS = 20_000
MATCHING_STEPS = 5


@dataclass(frozen=True)
class NullTest:
    """What the data's clusters are worth beside those of data without groups.

    Attributes
    ----------
    statistic : float
        Largest mean silhouette over the numbers of clusters tried; not-a-number where there are
        too few rows, or no two that differ.
    p_value : float
        (1 + draws at least as large) / (1 + draws); not-a-number without a statistic.
    null_mean, null_upper : float
        Mean and 95 % quantile of the statistic under the null.
    n_draws : int
    """

    statistic: float = float("nan")
    p_value: float = float("nan")
    null_mean: float = float("nan")
    null_upper: float = float("nan")
    n_draws: int = 0

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of `NULL_METRICS`."""
        figures = (self.statistic, self.p_value, self.null_mean, self.null_upper, self.n_draws)
        return dict(zip(NULL_METRICS, figures, strict=True))


NULL_METRICS = ("copula_statistic", "copula_p", "copula_null_mean", "baseline_score", "n_draws")


def standardised(values: np.ndarray) -> np.ndarray:
    """Give each column, shape (n, d), mean 0 and population deviation 1; a constant is 0."""
    centred = values - values.mean(axis=0)
    is_constant = (values == values[:1]).all(axis=0)
    return np.where(is_constant, 0, centred / np.where(is_constant, 1, values.std(axis=0)))


def silhouettes(distances: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute the silhouette of each row by matrix products.

    Parameters
    ----------
    distances : numpy.ndarray, shape (n, n)
    labels : numpy.ndarray of int, shape (n,)
        From 0. A label that no row has is none.

    Returns
    -------
    numpy.ndarray, shape (n,)
        In -1..1; 0 for a row that is alone in its cluster, and where there is one cluster.

    Notes
    -----
    Rousseeuw (1987). Equal to scikit-learn's `silhouette_samples`, from one distance matrix for
    any number of labellings.
    """
    labels = np.unique(labels, return_inverse=True)[1]
    members = np.eye(labels.max() + 1)[labels]
    sizes = members.sum(axis=0)
    if len(sizes) == 1:
        return np.zeros(len(labels))
    sums = distances @ members
    rows = np.arange(len(labels))
    own_size = sizes[labels]
    within = sums[rows, labels] / np.maximum(own_size - 1, 1)
    means = sums / sizes
    means[rows, labels] = np.inf
    nearest = means.min(axis=1)
    larger = np.maximum(within, nearest)
    found = (nearest - within) / np.where(larger > 0, larger, 1)
    return np.where(own_size > 1, found, 0)


def largest_silhouette(values: np.ndarray, ks: Sequence[int], seed: int) -> float:
    """Cluster rows in every k and return the largest mean silhouette.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, d)
        In their own units: they are scaled first.
    ks : sequence of int
        Those beyond the number of distinct rows are left out.
    seed : int
        Of the one K-Means start of each k.

    Returns
    -------
    float
        0 where all rows are alike.
    """
    scaled = standardised(values)
    n_distinct = len(np.unique(scaled, axis=0))
    distances = cdist(scaled, scaled)
    found = [
        silhouettes(distances, k_means(k, seed, starts=1).fit(scaled).labels_).mean()
        for k in ks
        if k <= n_distinct
    ]
    return float(max(found, default=0.0))


class Copula:
    """A Gaussian copula with the marginals and the rank correlation of the rows given.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, d)
    seed : int
        Of the draws that the correlation is matched by.

    Notes
    -----
    Marginals are the empirical quantiles, so that a discrete column stays discrete. Correlations
    are those of normal scores. Rounding hides a part of a correlation: that of the Gaussian
    deviates is raised until what is drawn has the correlation of the data (normal to anything,
    Cario and Nelson 1997). Without it, one rounded cloud was called clustered in 5 of 10 seeds.
    """

    def __init__(self, values: np.ndarray, seed: int) -> None:
        self.sorted = np.sort(values, axis=0)
        wanted = _score_correlation(values)
        deviates = np.random.default_rng(seed).normal(size=(MATCHING_ROWS, values.shape[1]))
        correlation = wanted
        for _ in range(MATCHING_STEPS):
            self.factor = _factor(correlation)
            found = _score_correlation(self._at(deviates))
            correlation = np.clip(correlation + wanted - found, -1, 1)
            np.fill_diagonal(correlation, 1)
        self.factor = _factor(correlation)

    def _at(self, deviates: np.ndarray) -> np.ndarray:
        n = len(self.sorted)
        places = (ndtr(deviates @ self.factor.T) * n).astype(int)
        return np.take_along_axis(self.sorted, np.minimum(places, n - 1), axis=0)

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """Draw as many rows as were given, shape (n, d), in the units of the data."""
        return self._at(generator.normal(size=self.sorted.shape))


def _score_correlation(values: np.ndarray) -> np.ndarray:
    """Correlate normal scores of the ranks; a constant column correlates with none."""
    scores = standardised(ndtri((rankdata(values, axis=0) - 0.5) / len(values)))
    correlation = scores.T @ scores / len(values)
    np.fill_diagonal(correlation, 1)
    return correlation


def _factor(correlation: np.ndarray) -> np.ndarray:
    """Factor the nearest correlation matrix that is positive semidefinite."""
    eigenvalues, vectors = np.linalg.eigh(correlation)
    factor = vectors * np.sqrt(np.maximum(eigenvalues, 0))
    return factor / np.linalg.norm(factor, axis=1, keepdims=True)


def copula_test(
    values: np.ndarray,
    seed: int,
    max_rows: int,
    ks: Sequence[int] = KS,
    draws: int = DRAWS,
) -> NullTest:
    """Test whether rows fall into groups, against a Gaussian copula of them.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, d)
        In any units, ordered by key. Without a missing value.
    seed : int
        Of the sample, the draws and the K-Means starts.
    max_rows : int
        Above it a seeded sample is tested.
    ks : sequence of int
        The statistic is the largest silhouette over them.
    draws : int

    Returns
    -------
    NullTest
        Without figures where there are fewer than `MINIMUM_ROWS` rows or all are alike.

    Notes
    -----
    A Monte Carlo test (Barnard 1963). Groups that differ in their marginals alone are not seen:
    of one feature that has two humps, the null has the two humps as well.
    """
    rows = sampled(values, max_rows, seed)
    if len(rows) < MINIMUM_ROWS or (rows == rows[0]).all():
        return NullTest()
    statistic = largest_silhouette(rows, ks, seed)
    copula = Copula(rows, seed)
    generator = np.random.default_rng(seed)
    null = np.array(
        [
            largest_silhouette(copula.draw(generator), ks, seed + 1 + number)
            for number in range(draws)
        ]
    )
    # Equal groupings may differ in the last digits.
    n_as_large = int((null >= statistic - 1e-9).sum())
    return NullTest(
        statistic=statistic,
        p_value=(1 + n_as_large) / (1 + draws),
        null_mean=float(null.mean()),
        null_upper=float(np.quantile(null, UPPER)),
        n_draws=draws,
    )
