"""How many personas: every k side by side, one stated rule, and what other criteria say."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from wardhouse.ml.groups import standardised
from wardhouse.ml.k_means import k_means
from wardhouse.ml.stability import (
    bootstrap,
    cluster_silhouettes,
    gap_statistic,
    silhouette_error,
    stratified,
)
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import MINIMUM_ROWS, sampled

if TYPE_CHECKING:
    from collections.abc import Mapping

KS = range(2, 11)
SMALLEST_JACCARD = 0.6
SMALLEST_SHARE = 0.02
MAX_ROWS = 20_000  # every k is fitted on so many at most


@dataclass(frozen=True)
class Settings:
    """How personas are fitted.

    Attributes
    ----------
    persona_k : int or None
        Number of personas where it is fixed.
    minimum_cell_size : int
        Fewest people of a persona.
    seed : int
        Of everything that is drawn.
    fit_max_rows : int
        People fitted at most; above it a seeded sample.
    metric_max_rows : int
        People that silhouettes and bootstraps are computed on, at most.
    null_max_rows : int
        People that are held against data without groups, at most.
    null_draws : int
    """

    persona_k: int | None = None
    minimum_cell_size: int = 11
    seed: int = 42
    fit_max_rows: int = 200_000
    metric_max_rows: int = 5000
    null_max_rows: int = 2000
    null_draws: int = 99

    @classmethod
    def of(cls, words: Mapping[str, object]) -> Settings:
        """Read settings of vars, each a number or its word; an empty word is none."""
        texts = {name: str(word).strip() for name, word in words.items()}
        return cls(**{name: int(text) if text else None for name, text in texts.items()})


def select_k(values: np.ndarray, settings: Settings) -> pd.DataFrame:
    """Fit K-Means for each k and choose one.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, d)
        Features of those who are fitted, in any units, ordered by key, without a missing value.
    settings : Settings

    Returns
    -------
    DataFrame
        One row per k, from 2 to 10 and `persona_k`, as far as there are distinct people. Figures
        of the fit on all people, or a seeded sample of `MAX_ROWS`: `sse`, `silhouette` (on a
        sample by cluster above `metric_max_rows`) with its standard error over subsamples,
        `calinski_harabasz`, `davies_bouldin`, `gap` and `gap_error` (on a seeded sample),
        `smallest_cluster` (people), `smallest_jaccard` (over bootstraps). `is_eligible` where the
        clusters are large and stable enough, `is_chosen`, `chosen_by`, `elbow_k` (null where there
        is no elbow), and for each criterion whether it alone would choose the k that was chosen.
        Without rows where there are too few people, or all are alike.

    Notes
    -----
    The rule: of the eligible k the one with the largest silhouette, or the smallest that is within
    one standard error of it. Silhouette by Rousseeuw (1987), the indices by Caliński and Harabasz
    (1974) and Davies and Bouldin (1979), the elbow by Satopää et al. (2011).
    """
    rows = sampled(values, MAX_ROWS, settings.seed)
    n_distinct = len(np.unique(rows, axis=0)) if len(rows) >= MINIMUM_ROWS else 0
    wanted = sorted({*KS, settings.persona_k or 2})
    ks = [k for k in wanted if k <= n_distinct and k < len(rows)]
    if n_distinct < 2:
        return _typed(pd.DataFrame(columns=list(TYPES)))
    with single_threaded():
        scaled = standardised(rows)
        table = pd.DataFrame([_figures(scaled, k, settings) for k in ks])
        some = scaled[
            stratified(np.zeros(len(scaled), int), settings.metric_max_rows, settings.seed)
        ]
        table["gap"], table["gap_error"] = gap_statistic(some, ks, settings.seed)
    least = max(settings.minimum_cell_size, SMALLEST_SHARE * len(rows))
    table["is_eligible"] = (table["smallest_cluster"] >= least) & (
        table["smallest_jaccard"] >= SMALLEST_JACCARD
    )
    chosen, table["chosen_by"] = choose(table, settings.persona_k)
    table["is_chosen"] = table["k"] == chosen
    table["elbow_k"] = elbow(ks, table["sse"].to_numpy())
    for criterion, k in own_choices(table).items():
        table[f"{criterion}_agrees"] = k == chosen
    return _typed(table.assign(n_fitted=len(rows)))


TYPES = {
    "k": "int64",
    "n_fitted": "int64",
    "sse": "float64",
    "silhouette": "float64",
    "calinski_harabasz": "float64",
    "davies_bouldin": "float64",
    "gap": "float64",
    "gap_error": "float64",
    "smallest_cluster": "int64",
    "smallest_jaccard": "float64",
    "silhouette_error": "float64",
    "is_eligible": "bool",
    "is_chosen": "bool",
    "chosen_by": "string",
    "elbow_k": "Int64",
    "silhouette_agrees": "bool",
    "calinski_harabasz_agrees": "bool",
    "davies_bouldin_agrees": "bool",
    "elbow_agrees": "bool",
    "gap_agrees": "bool",
}


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table[list(TYPES)].astype(TYPES)


def _figures(scaled: np.ndarray, k: int, settings: Settings) -> dict[str, float]:
    """Fit one k and measure it."""
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

    fit = k_means(k, settings.seed).fit(scaled)
    labels = fit.labels_
    rows = stratified(labels, settings.metric_max_rows, settings.seed)
    mean, _ = cluster_silhouettes(scaled, labels, settings.metric_max_rows, settings.seed)
    return {
        "k": k,
        "sse": fit.inertia_,
        "silhouette": mean,
        "silhouette_error": silhouette_error(scaled, labels, settings.seed),
        "calinski_harabasz": calinski_harabasz_score(scaled, labels),
        "davies_bouldin": davies_bouldin_score(scaled, labels),
        "smallest_cluster": np.bincount(labels).min(),
        "smallest_jaccard": bootstrap(scaled[rows], labels[rows], settings.seed).jaccards.min(),
    }


def choose(table: pd.DataFrame, persona_k: int | None) -> tuple[int, str]:
    """Choose a k by the rule, and say by what.

    Parameters
    ----------
    table : DataFrame
        With `k`, `silhouette`, `silhouette_error` and `is_eligible`.
    persona_k : int or None
        The k that is fixed. One that is not in the table, for want of people, is none.

    Returns
    -------
    tuple of int and str
        `persona_k`, `rule`, or `no eligible k`: then the largest silhouette.
    """
    if (table["k"] == persona_k).any():
        return int(persona_k), "persona_k"
    eligible = table[table["is_eligible"]]
    if eligible.empty:
        return int(table.loc[table["silhouette"].idxmax(), "k"]), "no eligible k"
    best = eligible.loc[eligible["silhouette"].idxmax()]
    tied = eligible[eligible["silhouette"] >= best["silhouette"] - best["silhouette_error"]]
    return int(tied["k"].min()), "rule"


def elbow(ks: list[int], sse: np.ndarray) -> int | None:
    """Find the elbow of the sums of squares, None where there is none."""
    from kneed import KneeLocator

    if len(ks) < 3:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is no elbow: None says so
        found = KneeLocator(ks, sse, curve="convex", direction="decreasing").elbow
    return None if found is None else int(found)


def own_choices(table: pd.DataFrame) -> dict[str, int | None]:
    """Tell the k that each criterion alone would choose, None where it would choose none."""
    gap = table["gap"].to_numpy()
    next_low = gap[1:] - table["gap_error"].to_numpy()[1:]
    within = np.flatnonzero(gap[:-1] >= next_low)
    best = {
        name: int(table.loc[table[name].idxmax(), "k"])
        for name in ("silhouette", "calinski_harabasz")
    }
    return best | {
        "davies_bouldin": int(table.loc[table["davies_bouldin"].idxmin(), "k"]),
        "elbow": table["elbow_k"].iloc[0],
        "gap": int(table["k"].iloc[within[0]]) if len(within) else None,
    }
