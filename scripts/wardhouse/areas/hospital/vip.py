"""VIP patients by K-Means: fitted here, applied in SQL by the model `patient_vip`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from wardhouse.ml.groups import DRAWS, LARGEST_P, NULL_METRICS, copula_test
from wardhouse.ml.k_means import STARTS, fit_k_means, k_means_rows
from wardhouse.ml.kept import kept_metrics
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import fingerprint, sampled, tidy_table

FEATURES = ("total_revenue", "n_visits", "avg_spent", "avg_feedback")
VIP, NON_VIP = "VIP", "Non-VIP"
TASK = "vip"
K = 2


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
    patients: dict[str, np.ndarray],
    seed: int,
    max_rows: int,
    null_max_rows: int,
    last: pd.DataFrame | None = None,
) -> VipFit:
    """Fit K-Means with two clusters on scaled features, and test whether there are two groups.

    Parameters
    ----------
    patients
        Arrays of shape (n,): `patient_key` (ordered) and each of `FEATURES`, in currency units,
        visits, currency units per visit and score points.
    seed
        Seed of the initial centroids, of every sample and of the test.
    max_rows
        Rows fitted at most; above it a seeded sample without replacement is fitted.
    null_max_rows
        Rows tested at most, of those fitted.
    last
        The tidy table of the last build: where data and settings are its own, its test stands.

    Returns
    -------
    VipFit
        With fewer than two distinct patients there is one cluster, Non-VIP, and no metric of the
        test. With no patient there is no parameter but the settings.

    Notes
    -----
    On one thread over rows ordered by key: the same labels whatever the order of the raw files.
    The score is the silhouette of two clusters of the rows tested, its baseline the 95 % quantile
    of the same under a Gaussian copula (`wardhouse.ml.groups`).
    """
    order = np.argsort(patients["patient_key"], kind="stable")
    keys = np.asarray(patients["patient_key"])[order]
    every = np.column_stack([np.asarray(patients[name], dtype=float)[order] for name in FEATURES])
    values = sampled(every, max_rows, seed)
    settings = {"seed": seed, "n_init": STARTS, "max_rows": max_rows}
    settings |= {"null": "gaussian copula", "null_max_rows": null_max_rows, "null_draws": DRAWS}
    data_fingerprint = fingerprint(keys, every)
    metrics: dict[str, float] = {"n_patients": len(every), "n_fitted": len(values)}
    rows: list[dict] = []
    labels = np.empty(0, dtype=object)
    if len(values):
        tested = kept_metrics(last, TASK, data_fingerprint, settings, NULL_METRICS)
        with single_threaded():
            fit = fit_k_means(values, K, seed)
            if tested is None:
                tested = copula_test(values, seed, null_max_rows, ks=[K]).metrics
        clusters = fit[-1]
        metrics |= tested | {
            "inertia": float(clusters.inertia_),
            "score": tested.get("copula_statistic", np.nan),
            "is_reliable": float(tested.get("copula_p", np.nan) <= LARGEST_P),
        }
        names = _names(clusters.cluster_centers_)
        rows = k_means_rows(fit, FEATURES, names)
        if len(values) == len(every):
            labels = np.empty(len(every), dtype=object)
            labels[order] = names[clusters.labels_]
    table = tidy_table(TASK, data_fingerprint, settings, metrics, rows)
    return VipFit(table, labels)
