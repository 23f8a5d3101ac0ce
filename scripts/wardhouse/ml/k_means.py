"""K-Means that SQL can apply: features in scaled units, centroids, and how far to trust them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardhouse.ml.tidy import value_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.cluster import KMeans
    from sklearn.pipeline import Pipeline

STARTS = 10  # the best of so many


def k_means(k: int, seed: int) -> KMeans:
    """Return an unfitted K-Means that runs to a fixed point.

    It stops when nothing moves, so that the labels do not depend on the order of sums.

    Notes
    -----
    Lloyd's algorithm with k-means++ starts (Arthur and Vassilvitskii 2007).
    """
    from sklearn.cluster import KMeans

    return KMeans(n_clusters=k, n_init=STARTS, max_iter=1000, tol=0, random_state=seed)


def fit_k_means(values: np.ndarray, k: int, seed: int) -> Pipeline:
    """Fit StandardScaler and K-Means on features in their own units, shape (n, d).

    Where all rows are alike there is one cluster, whatever the k. The labels are in the order of
    the rows; the clusters have no names and no order yet.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    k = k if (values != values[0]).any() else 1
    return make_pipeline(StandardScaler(), k_means(k, seed)).fit(values)


def k_means_rows(fit: Pipeline, features: Sequence[str], names: Sequence[str]) -> list[dict]:
    """Tell a fit of `fit_k_means` in tidy rows, with a name for each of its clusters."""
    scaler, clusters = fit
    rows = value_rows("scaler_mean", features, scaler.mean_)
    rows += value_rows("scaler_scale", features, scaler.scale_)
    for name, centroid in zip(names, clusters.cluster_centers_, strict=True):
        rows += value_rows("centroid", features, centroid, name)
    return rows


def judge_k_means(scaled: np.ndarray, k: int, sample: int, seed: int) -> dict[str, float]:
    """Score k clusters out of sample, against the same data with its structure destroyed.

    Parameters
    ----------
    scaled : numpy.ndarray, shape (n, d)
        In scaled units.
    k : int
    sample : int
        Rows of each half, at most.
    seed : int
        Of the sample, the halves, the shuffling and the fits.

    Returns
    -------
    dict of str to float
        `silhouette_out_of_sample`: the rows are split in two halves, and the centroids of one
        label the other; not-a-number where they give it one label only. `silhouette_baseline`:
        the same after each column was shuffled by itself. `stability`: the agreement of the labels
        that the two halves' centroids give to the same rows.

    Notes
    -----
    Silhouette by Rousseeuw (1987); agreement by the adjusted Rand index (Hubert and Arabie 1985).
    """
    generator = np.random.default_rng(seed)
    rows = scaled[generator.permutation(len(scaled))[: 2 * sample]]
    shuffled = np.column_stack([generator.permutation(column) for column in rows.T])
    silhouette, stability = _compare_halves(rows, k, seed)
    baseline, _ = _compare_halves(shuffled, k, seed)
    return {
        "silhouette_out_of_sample": silhouette,
        "silhouette_baseline": baseline,
        "stability": stability,
    }


def _compare_halves(rows: np.ndarray, k: int, seed: int) -> tuple[float, float]:
    """Return silhouette and stability of `judge_k_means` for these rows."""
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    fits = [k_means(k, seed).fit(half) for half in (first, second)]
    labels = fits[0].predict(second)
    silhouette = silhouette_score(second, labels) if len(set(labels)) > 1 else float("nan")
    return silhouette, adjusted_rand_score(*(fit.predict(rows) for fit in fits))
