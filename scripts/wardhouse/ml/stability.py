"""How far clusters hold: on bootstraps of the rows, against other methods, on samples of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from wardhouse.ml.groups import silhouettes
from wardhouse.ml.k_means import STARTS, k_means

BOOTSTRAPS = 30
SUBSAMPLES = 20
SUBSAMPLE_ROWS = 1000
REFERENCES = 10  # of the gap statistic
FEWEST_OF_CLUSTER = 10  # in a stratified sample, where the cluster has them


@dataclass(frozen=True)
class Stability:
    """What bootstraps of the rows did to the clusters.

    Attributes
    ----------
    agreements : numpy.ndarray, shape (b,)
        Adjusted Rand index of each bootstrap's labels of all rows with the labels given.
    jaccards : numpy.ndarray, shape (k,)
        Mean over the bootstraps of the largest Jaccard similarity of each cluster.
    moves : numpy.ndarray, shape (k, k)
        Share of the rows of one cluster (first axis) that a bootstrap puts into another.
    """

    agreements: np.ndarray
    jaccards: np.ndarray
    moves: np.ndarray

    @property
    def metrics(self) -> dict[str, float]:
        """Mean and 95 % percentile interval of the agreement, and the smallest Jaccard."""
        low, high = np.quantile(self.agreements, [0.025, 0.975])
        return {
            "bootstrap_ari": float(self.agreements.mean()),
            "bootstrap_ari_low": float(low),
            "bootstrap_ari_high": float(high),
            "smallest_jaccard": float(self.jaccards.min()),
        }


def counts(first: np.ndarray, second: np.ndarray, n_first: int, n_second: int) -> np.ndarray:
    """Count rows by two labels from 0, shape (n_first, n_second)."""
    pairs = np.bincount(first * n_second + second, minlength=n_first * n_second)
    return pairs.reshape(n_first, n_second)


def agreement(table: np.ndarray) -> float:
    """Compute the adjusted Rand index (Hubert and Arabie 1985) of a table of `counts`."""

    def pairs(n: np.ndarray) -> float:
        return float((n * (n - 1)).sum()) / 2

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / max(pairs(table.sum(keepdims=True)), 1)
    largest = (rows + columns) / 2
    return 1.0 if largest == expected else (both - expected) / (largest - expected)


def matched(table: np.ndarray) -> np.ndarray:
    """Match the clusters of a square table of `counts`: the second's partner of each of the first.

    The matching with the largest overlap; each has one partner.
    """
    return linear_sum_assignment(table, maximize=True)[1]


def bootstrap(
    scaled: np.ndarray, labels: np.ndarray, seed: int, draws: int = BOOTSTRAPS
) -> Stability:
    """Cluster bootstraps of the rows and hold them against the labels.

    Parameters
    ----------
    scaled : numpy.ndarray, shape (n, d)
        In scaled units.
    labels : numpy.ndarray of int, shape (n,)
        From 0 to k - 1, each on some row.
    seed : int
        Of the draws and of the one K-Means start of each.
    draws : int

    Notes
    -----
    Jaccard similarities on the distinct rows drawn by Hennig (2007): a cluster that is not drawn
    has 0. Stability is no evidence of groups: a cloud without any can be cut the same way again
    and again.
    """
    k = int(labels.max()) + 1
    generator = np.random.default_rng(seed)
    agreements, jaccards, moves = np.empty(draws), np.zeros(k), np.zeros((k, k))
    sizes = np.bincount(labels, minlength=k)
    for number in range(draws):
        drawn = generator.integers(0, len(scaled), len(scaled))
        distinct = np.unique(drawn)
        n_clusters = min(k, len(np.unique(scaled[distinct], axis=0)))
        fit = k_means(n_clusters, seed + number, starts=1).fit(scaled[drawn])
        found = fit.predict(scaled)
        table = counts(labels, found, k, k)
        agreements[number] = agreement(table)
        moves += table[:, matched(table)] / sizes[:, None]
        both = counts(labels[distinct], found[distinct], k, k)
        either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
        jaccards += (both / np.maximum(either, 1)).max(axis=1)
    return Stability(agreements, jaccards / draws, moves / draws)


def stratified(labels: np.ndarray, max_rows: int, seed: int) -> np.ndarray:
    """Choose rows, at most so many, by cluster: a small cluster is in the sample too.

    Parameters
    ----------
    labels : numpy.ndarray of int, shape (n,)
    max_rows : int
        Clusters take their share, and each at least `FEWEST_OF_CLUSTER` where it has them.
    seed : int

    Returns
    -------
    numpy.ndarray of int
        Places of the rows, ascending. All where there are no more.
    """
    if len(labels) <= max_rows:
        return np.arange(len(labels))
    generator = np.random.default_rng(seed)
    names, sizes = np.unique(labels, return_counts=True)
    fewest = np.minimum(sizes, min(FEWEST_OF_CLUSTER, max_rows // len(names)))
    quotas = fewest + (sizes - fewest) * (max_rows - fewest.sum()) // (sizes - fewest).sum()
    chosen = [
        generator.permutation(np.flatnonzero(labels == name))[:quota]
        for name, quota in zip(names, quotas, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def cluster_silhouettes(
    scaled: np.ndarray, labels: np.ndarray, max_rows: int, seed: int
) -> tuple[float, np.ndarray]:
    """Compute the mean silhouette of all rows and of each cluster, on a sample by cluster.

    Returns
    -------
    tuple of float and numpy.ndarray, shape (k,)
        The mean of the clusters weighs each by its size in all rows.
    """
    rows = stratified(labels, max_rows, seed)
    found = silhouettes(cdist(scaled[rows], scaled[rows]), labels[rows])
    k = int(labels.max()) + 1
    means = np.bincount(labels[rows], found, k) / np.maximum(np.bincount(labels[rows], None, k), 1)
    return float(np.bincount(labels, minlength=k) @ means / len(labels)), means


def silhouette_error(scaled: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Estimate the standard error of the mean silhouette by `SUBSAMPLES` subsamples.

    Each is half of the rows, or `SUBSAMPLE_ROWS`, without replacement: of halves the deviation is
    the standard error itself, of fewer rows it is brought to the size of all.
    """
    n = len(scaled)
    size = min(n // 2, SUBSAMPLE_ROWS)
    generator = np.random.default_rng(seed)
    means = []
    for _ in range(SUBSAMPLES):
        rows = generator.permutation(n)[:size]
        means.append(silhouettes(cdist(scaled[rows], scaled[rows]), labels[rows]).mean())
    return float(np.std(means, ddof=1) * np.sqrt(size / (n - size)))


def gap_statistic(scaled: np.ndarray, ks: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the gap statistic and its error for each k.

    Parameters
    ----------
    scaled : numpy.ndarray, shape (n, d)
    ks : list of int
    seed : int
        Of `REFERENCES` uniform references and of the K-Means starts, one each.

    Returns
    -------
    tuple of numpy.ndarray, shape (len(ks),)
        Gap and error; not-a-number where clusters have no spread.

    Notes
    -----
    Tibshirani, Walther and Hastie (2001), with references uniform over the box of the principal
    components.
    """
    generator = np.random.default_rng(seed)
    centred = scaled - scaled.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    turned = centred @ axes.T
    box = turned.min(axis=0), turned.max(axis=0)

    def spreads(rows: np.ndarray, seed: int) -> np.ndarray:
        found = np.array([k_means(k, seed, starts=1).fit(rows).inertia_ for k in ks])
        return np.where(found > 1e-12 * (rows**2).sum(), found, 0)  # the last digits are none

    references = [
        spreads(generator.uniform(*box, size=turned.shape) @ axes, seed + 1 + number)
        for number in range(REFERENCES)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(references)
        gaps = logs.mean(axis=0) - np.log(spreads(centred, seed))
    errors = logs.std(axis=0) * np.sqrt(1 + 1 / REFERENCES)
    return np.where(np.isfinite(gaps), gaps, np.nan), errors


def other_methods(scaled: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, float]:
    """Hold labels from 0 to k - 1 against a Gaussian mixture's and Ward's of the same rows.

    Returns
    -------
    dict of str to float
        `gaussian_mixture_ari` and `ward_ari`, adjusted Rand indices.
    """
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.mixture import GaussianMixture

    k = int(labels.max()) + 1
    mixture = GaussianMixture(k, max_iter=500, random_state=seed).fit(scaled).predict(scaled)
    ward = AgglomerativeClustering(k).fit(scaled).labels_
    return {
        "gaussian_mixture_ari": agreement(counts(labels, mixture, k, k)),
        "ward_ari": agreement(counts(labels, ward, k, k)),
    }


def agreement_without(scaled: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Leave out one feature after the other: adjusted Rand index with the labels, shape (d,).

    A feature that changes nothing has 1. Not-a-number where there is one feature only, or where
    the others tell too few rows apart.
    """
    k = int(labels.max()) + 1
    found = np.full(scaled.shape[1], np.nan)
    for place in range(scaled.shape[1]):
        others = np.delete(scaled, place, axis=1)
        if others.shape[1] and len(np.unique(others, axis=0)) >= k:
            without = k_means(k, seed, STARTS).fit(others).labels_
            found[place] = agreement(counts(labels, without, k, k))
    return found
