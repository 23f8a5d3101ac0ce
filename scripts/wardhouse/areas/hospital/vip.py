"""VIP patients by K-Means: fitted here, applied in SQL by the model `patient_vip`."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from wardhouse.ml.threads import single_threaded

FEATURES = ("total_revenue", "n_visits", "avg_spent", "avg_feedback")
VIP, NON_VIP = "VIP", "Non-VIP"
MINIMUM_ROWS_FOR_METRICS = 20


@dataclass(frozen=True)
class VipFit:
    """A fit: the tidy parameters, and the status of each row that was fitted.

    `parameters` has one row per value: `component` (scaler_mean, scaler_scale, centroid, metric,
    setting), `cluster` (VIP, Non-VIP), `feature` (feature, metric or setting), `value` (number)
    and `text`. `labels` has shape (n,), in the order of the rows given, or is empty where a
    sample was fitted.
    """

    parameters: pd.DataFrame
    labels: np.ndarray


def _k_means(scaled: np.ndarray, k: int, seed: int):
    """Fit K-Means until nothing moves, so that the labels do not hang on the order of sums."""
    from sklearn.cluster import KMeans

    return KMeans(n_clusters=k, n_init=10, max_iter=1000, tol=0, random_state=seed).fit(scaled)


def _metrics(scaled: np.ndarray, sample: int, seed: int) -> dict[str, float]:
    """Judge two clusters out of sample, against the same data with its structure destroyed.

    The rows are split in two halves; centroids of one half label the other, and the silhouette
    (Rousseeuw 1987) of those labels is the score. The baseline does the same after each column
    was shuffled by itself. Stability is the adjusted Rand index (Hubert and Arabie 1985) of the
    labels that the two halves' centroids give to the same rows.
    """
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    generator = np.random.default_rng(seed)
    rows = scaled[generator.permutation(len(scaled))[: 2 * sample]]
    shuffled = np.column_stack([generator.permutation(column) for column in rows.T])

    def halves(data: np.ndarray) -> tuple[float, float]:
        first, second = data[: len(data) // 2], data[len(data) // 2 :]
        fits = [_k_means(half, 2, seed) for half in (first, second)]
        labels = fits[0].predict(second)
        score = silhouette_score(second, labels) if len(set(labels)) == 2 else float("nan")
        return score, adjusted_rand_score(fits[0].predict(data), fits[1].predict(data))

    silhouette, stability = halves(rows)
    baseline, _ = halves(shuffled)
    return {
        "silhouette_out_of_sample": silhouette,
        "silhouette_baseline": baseline,
        "stability": stability,
    }


def _fingerprint(keys: np.ndarray, values: np.ndarray) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(keys))
    digest.update(np.ascontiguousarray(values))
    return digest.hexdigest()


def _tidy(component: str, names, values, cluster: str | None = None) -> list[dict]:
    return [
        {"component": component, "cluster": cluster, "feature": n, "value": float(v), "text": None}
        for n, v in zip(names, values, strict=True)
    ]


def fit_vip(
    patients: dict[str, np.ndarray], seed: int, max_rows: int, silhouette_sample: int
) -> VipFit:
    """Fit StandardScaler and K-Means with two clusters; VIP is the one with more revenue a head.

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
    Lloyd's algorithm with k-means++ starts (Arthur and Vassilvitskii 2007), run to a fixed point
    on one thread over rows ordered by key: the same labels whatever the order of the raw files.
    """
    import sklearn
    from sklearn.preprocessing import StandardScaler

    order = np.argsort(patients["patient_key"], kind="stable")
    keys = np.asarray(patients["patient_key"])[order]
    values = np.column_stack([np.asarray(patients[name], dtype=float)[order] for name in FEATURES])
    n_patients = len(values)
    settings = {
        "seed": seed,
        "n_init": 10,
        "max_rows": max_rows,
        "scikit_learn": sklearn.__version__,
        "numpy": np.__version__,
    }
    fingerprint = _fingerprint(keys, values)
    if n_patients > max_rows:
        chosen = np.sort(np.random.default_rng(seed).permutation(n_patients)[:max_rows])
        values = values[chosen]
    rows: list[dict] = []
    metrics: dict[str, float] = {"n_patients": n_patients, "n_fitted": len(values)}
    labels = np.empty(0, dtype=object)
    if len(values):
        k = 2 if (values != values[0]).any() else 1
        with single_threaded():
            scaler = StandardScaler().fit(values)
            scaled = scaler.transform(values)
            fit = _k_means(scaled, k, seed)
            if k == 2 and len(values) >= MINIMUM_ROWS_FOR_METRICS:
                metrics |= _metrics(scaled, silhouette_sample, seed)
        metrics["inertia"] = float(fit.inertia_)
        revenue = fit.cluster_centers_[:, 0]
        names = [NON_VIP] * k
        if k == 2:
            names[int(np.argmax(revenue))] = VIP
        rows += _tidy("scaler_mean", FEATURES, scaler.mean_)
        rows += _tidy("scaler_scale", FEATURES, scaler.scale_)
        for name, centroid in zip(names, fit.cluster_centers_, strict=True):
            rows += _tidy("centroid", FEATURES, centroid, name)
        if len(values) == n_patients:
            labels = np.empty(n_patients, dtype=object)
            labels[order] = np.array(names, dtype=object)[fit.labels_]
    rows += _tidy("metric", metrics.keys(), metrics.values())
    for name, text in (
        ("task", "vip"),
        ("data_fingerprint", fingerprint),
        ("settings", json.dumps(settings, sort_keys=True)),
    ):
        rows.append(
            {
                "component": "setting",
                "cluster": None,
                "feature": name,
                "value": float("nan"),
                "text": text,
            }
        )
    frame = pd.DataFrame(rows, columns=["component", "cluster", "feature", "value", "text"])
    return VipFit(frame.astype({"cluster": "string", "text": "string"}), labels)
