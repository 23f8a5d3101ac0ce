"""VIP patients by K-Means: fitted here, applied in SQL by the model `patient_vip`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from wardhouse.ml.k_means import STARTS, fit_k_means, judge_k_means, k_means_rows
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import MINIMUM_ROWS, fingerprint, sampled, tidy_table

FEATURES = ("total_revenue", "n_visits", "avg_spent", "avg_feedback")
VIP, NON_VIP = "VIP", "Non-VIP"


@dataclass(frozen=True)
class VipFit:
    """A fit: the tidy table, and the status of each row that was fitted.

    A centroid's level is VIP or Non-VIP. `labels` has shape (n,), in the order of the rows given,
    or is empty where a sample was fitted.
    """

    parameters: pd.DataFrame
    labels: np.ndarray


def _names(centroids: np.ndarray) -> np.ndarray:
    """Name clusters: VIP is the one with more revenue a head, and there is none among one."""
    names = np.full(len(centroids), NON_VIP, dtype=object)
    if len(centroids) > 1:
        names[np.argmax(centroids[:, FEATURES.index("total_revenue")])] = VIP
    return names


def fit_vip(
    patients: dict[str, np.ndarray], seed: int, max_rows: int, silhouette_sample: int
) -> VipFit:
    """Fit K-Means with two clusters on scaled features.

    Parameters
    ----------
    patients
        Arrays of shape (n,): `patient_key` (ordered) and each of `FEATURES`, in currency units,
        visits, currency units per visit and score points.
    seed
        Seed of the initial centroids and of every sample.
    max_rows
        Rows fitted at most; above it a seeded sample without replacement is fitted.
    silhouette_sample
        Rows of each half that metrics are computed on, at most.

    Returns
    -------
    VipFit
        With fewer than two distinct patients there is one cluster, Non-VIP, and no metric. With
        no patient there is no parameter but the settings.

    Notes
    -----
    On one thread over rows ordered by key: the same labels whatever the order of the raw files.
    """
    order = np.argsort(patients["patient_key"], kind="stable")
    keys = np.asarray(patients["patient_key"])[order]
    every = np.column_stack([np.asarray(patients[name], dtype=float)[order] for name in FEATURES])
    values = sampled(every, max_rows, seed)
    settings = {"seed": seed, "n_init": STARTS, "max_rows": max_rows}
    metrics: dict[str, float] = {"n_patients": len(every), "n_fitted": len(values)}
    rows: list[dict] = []
    labels = np.empty(0, dtype=object)
    if len(values):
        with single_threaded():
            fit = fit_k_means(values, 2, seed)
            clusters = fit[-1]
            if clusters.n_clusters == 2 and len(values) >= MINIMUM_ROWS:
                metrics |= judge_k_means(fit[:-1].transform(values), 2, silhouette_sample, seed)
        metrics["inertia"] = float(clusters.inertia_)
        names = _names(clusters.cluster_centers_)
        rows = k_means_rows(fit, FEATURES, names)
        if len(values) == len(every):
            labels = np.empty(len(every), dtype=object)
            labels[order] = names[clusters.labels_]
    table = tidy_table("vip", fingerprint(keys, every), settings, metrics, rows)
    return VipFit(table, labels)
