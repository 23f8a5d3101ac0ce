"""K-Means that SQL can apply: features in scaled units, and centroids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wardhouse.ml.tidy import value_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.cluster import KMeans
    from sklearn.pipeline import Pipeline

STARTS = 10  # the best of so many


def k_means(k: int, seed: int, starts: int = STARTS) -> KMeans:
    """Return an unfitted K-Means that runs to a fixed point: the best of so many starts.

    It stops when nothing moves, so that the labels do not depend on the order of sums.

    Notes
    -----
    Lloyd's algorithm with k-means++ starts (Arthur and Vassilvitskii 2007).
    """
    from sklearn.cluster import KMeans

    return KMeans(n_clusters=k, n_init=starts, max_iter=1000, tol=0, random_state=seed)


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
