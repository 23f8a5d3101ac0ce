"""Personas by K-Means: fitted here for one type of person, applied in SQL by `persona_members`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from wardhouse.areas.engagement.k_selection import SMALLEST_JACCARD, Settings
from wardhouse.areas.engagement.numbering import number_personas, overlap
from wardhouse.ml.groups import LARGEST_P, NULL_METRICS, copula_test, standardised
from wardhouse.ml.k_means import STARTS, fit_k_means, k_means_rows
from wardhouse.ml.kept import kept_metrics
from wardhouse.ml.stability import (
    BOOTSTRAPS,
    agreement_without,
    bootstrap,
    cluster_silhouettes,
    matched,
    other_methods,
    stratified,
)
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import (
    MINIMUM_ROWS,
    fingerprint,
    sampled,
    tidy_table,
    value_row,
    value_rows,
)

SMALLEST_AGREEMENT = 0.8
FEWEST_PER_PERSONA = 20
OF_MIXTURE_AND_WARD = 2000  # people that other methods cluster, at most


@dataclass(frozen=True)
class People:
    """Vectors of one type of person at one date each.

    Attributes
    ----------
    keys : numpy.ndarray of int, shape (n,)
        Ascending: the order of the rows is the order of the people.
    values : numpy.ndarray, shape (n, d)
        Features in their own units, without a missing value.
    is_in_fit : numpy.ndarray of bool, shape (n,)
        False where a person was taken out of the fit as an outlier.
    """

    keys: np.ndarray
    values: np.ndarray
    is_in_fit: np.ndarray

    @property
    def fitted(self) -> np.ndarray:
        """The values of those who are in the fit, shape (m, d)."""
        return self.values[self.is_in_fit]


@dataclass(frozen=True)
class Vectors:
    """All that is known of one type: its features, its people today and at the earliest date.

    Attributes
    ----------
    features : tuple of str
        In the order of the columns of `values`.
    current : People
    first : People or None
        None where there is no date, or only one.
    """

    features: tuple[str, ...]
    current: People
    first: People | None = None


@dataclass(frozen=True)
class Last:
    """What the last build left of one type.

    Attributes
    ----------
    fit : DataFrame or None
        Its tidy rows.
    keys, numbers : numpy.ndarray of int, shape (n,)
        People, and the numbers of their personas; none where there was no last build.
    """

    fit: pd.DataFrame | None = None
    keys: np.ndarray = field(default_factory=lambda: np.empty(0, dtype="int64"))
    numbers: np.ndarray = field(default_factory=lambda: np.empty(0, dtype="int64"))

    def members(self, features: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Give keys and numbers where the personas were made of these features, else nobody.

        Personas of other features are others: a name of the last ones would tell what made those.
        """
        if self.fit is not None:
            made_of = self.fit.loc[self.fit["component"] == "scaler_mean", "feature"]
            if set(made_of) != set(features):
                return self.keys[:0], self.numbers[:0]
        return self.keys, self.numbers


def fit_personas(
    person_type: str, vectors: Vectors, selection: pd.DataFrame, settings: Settings, last: Last
) -> pd.DataFrame:
    """Fit the personas of one type of person and say how far they can be relied on.

    Parameters
    ----------
    person_type : str
        patient or physician: names the task.
    vectors : Vectors
    selection : DataFrame
        As `select_k` makes it: its chosen k is fitted, one persona where it has no row.
    settings : Settings
    last : Last
        Its numbers of personas go on where most members stayed and the features are the same, and
        its test against data without groups where data and settings are the same.

    Returns
    -------
    DataFrame
        Column `person_type` and the tidy table. `scaler_mean`, `scaler_scale` (units of the
        feature), `centroid` (scaled units, level the persona's number); by persona `jaccard`,
        `silhouette_of`, `kept` (1 where its number is that of the last build); `first_scaler_mean`,
        `first_scaler_scale`, `first_centroid` of the earliest date, and `first_noise`, the share
        of one persona's people (level) that bootstraps of that date put into another (feature),
        none of them without history; by feature `agreement_without`, `variance` (squared units),
        `largest_correlation` (Spearman's, level the other feature). Without people there is no
        parameter but the settings.

    Notes
    -----
    Reliable are personas whose largest silhouette data without groups reach in at most 5 % of
    draws, whose labels bootstraps repeat with a mean adjusted Rand index of at least 0.8 and a
    Jaccard of at least 0.6 each, and of whom there are at least 20 people per persona.
    """
    current = vectors.current
    is_eligible, k = _chosen(selection)
    told = {name: getattr(settings, name) for name in ("persona_k", "seed", "fit_max_rows")}
    told |= {"null": "gaussian copula", "null_draws": settings.null_draws, "n_init": STARTS}
    told |= {name: getattr(settings, name) for name in ("metric_max_rows", "null_max_rows")}
    told |= {"bootstraps": BOOTSTRAPS, "features": list(vectors.features)}
    parts = [people for people in (current, vectors.first) if people is not None]
    data = [getattr(people, name) for people in parts for name in ("keys", "values", "is_in_fit")]
    task, data_fingerprint = f"persona_{person_type}", fingerprint(*data)
    values = sampled(current.fitted, settings.fit_max_rows, settings.seed)
    metrics: dict[str, float] = {"n_people": len(current.keys), "n_fitted": len(values)}
    rows: list[dict] = []
    if len(values) and vectors.features:
        tested = kept_metrics(last.fit, task, data_fingerprint, told, NULL_METRICS)
        with single_threaded():
            if tested is None:
                tested = copula_test(
                    values, settings.seed, settings.null_max_rows, draws=settings.null_draws
                ).metrics
            rows, found = _fit(vectors, values, k, settings, last)
        metrics |= tested | found
        metrics["is_reliable"] = float(is_eligible and _is_reliable(metrics))
    table = tidy_table(task, data_fingerprint, told, metrics, rows)
    table.insert(0, "person_type", person_type)
    return table


def _chosen(selection: pd.DataFrame) -> tuple[bool, int]:
    """Tell whether the chosen k is eligible, and which it is; one persona where there is none."""
    for row in selection[selection["is_chosen"].astype(bool)].itertuples():
        return bool(row.is_eligible), int(row.k)
    return False, 1


def _is_reliable(metrics: dict[str, float]) -> bool:
    return (
        metrics.get("copula_p", np.nan) <= LARGEST_P
        and metrics.get("bootstrap_ari", np.nan) >= SMALLEST_AGREEMENT
        and metrics.get("smallest_jaccard", np.nan) >= SMALLEST_JACCARD
        and metrics["n_fitted"] >= FEWEST_PER_PERSONA * metrics["k"]
    )


def _fit(
    vectors: Vectors, values: np.ndarray, k: int, settings: Settings, last: Last
) -> tuple[list[dict], dict[str, float]]:
    """Fit, number and measure: tidy rows and metrics."""
    features, seed = vectors.features, settings.seed
    fit = fit_k_means(values, k, seed)
    labels = fit[-1].labels_
    k = fit[-1].n_clusters
    everybody = fit.predict(vectors.current.values)
    numbers, kept = number_personas(
        fit[-1].cluster_centers_,
        labels,
        (vectors.current.keys, everybody),
        last.members(features),
    )
    levels = [str(number) for number in numbers]
    rows = k_means_rows(fit, features, levels)
    rows += [
        value_row("kept", "persona", is_kept, level)
        for level, is_kept in zip(levels, kept, strict=True)
    ]
    rows += value_rows("variance", features, values.var(axis=0))
    rows += _correlation_rows(values, features)
    metrics = {"k": float(k), "inertia": float(fit[-1].inertia_)}
    if k > 1 and len(values) >= MINIMUM_ROWS:
        scaled = fit[:-1].transform(values)
        found, further = _measure(scaled, labels, settings)
        metrics |= further
        for component, by_cluster in found.items():
            rows += [
                value_row(component, "persona", value, level)
                for level, value in zip(levels, by_cluster, strict=True)
            ]
        some = stratified(labels, settings.metric_max_rows, seed)
        without = agreement_without(scaled[some], labels[some], seed)
        rows += value_rows("agreement_without", features, without)
        if vectors.first is not None:
            rows += _first_rows(vectors, everybody, levels, settings)
    return [row for row in rows if np.isfinite(row["value"])], metrics


def _measure(
    scaled: np.ndarray, labels: np.ndarray, settings: Settings
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Compute figures by cluster, and metrics of all."""
    seed = settings.seed
    score, silhouette_of = cluster_silhouettes(scaled, labels, settings.metric_max_rows, seed)
    some = stratified(labels, settings.metric_max_rows, seed)
    stability = bootstrap(scaled[some], labels[some], seed)
    few = stratified(labels, OF_MIXTURE_AND_WARD, seed)
    metrics = {"score": score} | stability.metrics
    metrics |= other_methods(scaled[few], labels[few], seed)
    return {"jaccard": stability.jaccards, "silhouette_of": silhouette_of}, metrics


def _correlation_rows(values: np.ndarray, features: tuple[str, ...]) -> list[dict]:
    """Tell the other feature that each correlates with most, by Spearman's rank correlation."""
    from scipy.stats import rankdata

    if len(features) < 2 or len(values) < MINIMUM_ROWS:
        return []
    ranks = standardised(rankdata(values, axis=0))
    found = ranks.T @ ranks / len(values)
    others = np.abs(found)
    np.fill_diagonal(others, -1)
    partners = others.argmax(axis=1)
    return [
        value_row("largest_correlation", feature, found[place, partner], features[partner])
        for place, (feature, partner) in enumerate(zip(features, partners, strict=True))
    ]


def _first_rows(
    vectors: Vectors, everybody: np.ndarray, levels: list[str], settings: Settings
) -> list[dict]:
    """Fit the earliest date at the same k, number its clusters by today's, and shake it.

    Nothing where that date has too few people for the k.
    """
    first, k, seed = vectors.first, len(levels), settings.seed
    values = sampled(first.fitted, settings.fit_max_rows, seed)
    if len(values) < MINIMUM_ROWS or len(np.unique(values, axis=0)) < k:
        return []
    fit = fit_k_means(values, k, seed)
    people = (first.keys, fit.predict(first.values)), (vectors.current.keys, everybody)
    first_levels = [levels[partner] for partner in matched(overlap(*people, (k, k)))]
    rows = [
        row | {"component": f"first_{row['component']}"}
        for row in k_means_rows(fit, vectors.features, first_levels)
    ]
    some = stratified(fit[-1].labels_, settings.metric_max_rows, seed)
    moves = bootstrap(fit[:-1].transform(values)[some], fit[-1].labels_[some], seed).moves
    return rows + [
        value_row("first_noise", first_levels[to], moves[origin, to], first_levels[origin])
        for origin in range(k)
        for to in range(k)
    ]
