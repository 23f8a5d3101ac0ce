"""Which provider suits a need: means shrunk toward those of many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from wardhouse.ml.tidy import (
    MINIMUM_ROWS,
    Z_95,
    fingerprint,
    held_out_from,
    is_before,
    split_day,
    tidy_table,
    value_row,
    with_verdict,
)


def variances(values: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> tuple[float, float]:
    """Variance inside inner groups, and between inner groups of the same outer group.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
    inner, outer : numpy.ndarray, shape (n,), int
        Codes from 0; an inner group is in one outer group.

    Returns
    -------
    tuple of float
        Both not-a-number where a group too many leaves no degree of freedom; the second is never
        below 0.

    Notes
    -----
    Analysis of variance estimators for groups of unequal size (Searle, Casella and McCulloch
    1992).
    """
    n_inner = np.bincount(inner)
    sums = np.bincount(inner, values)
    parent = np.zeros(len(n_inner), dtype=int)
    parent[inner] = outer
    n_outer, outer_sums = np.bincount(outer), np.bincount(outer, values)
    spare, between = len(values) - len(n_inner), len(n_inner) - len(n_outer)
    if spare < 1 or between < 1:
        return np.nan, np.nan
    within = float(((values - (sums / n_inner)[inner]) ** 2).sum() / spare)
    distance = sums / n_inner - (outer_sums / n_outer)[parent]
    size = (len(values) - (n_inner**2 / n_outer[parent]).sum()) / between
    return within, max(0.0, float(((n_inner * distance**2).sum() / between - within) / size))


MATCH_NEED = ["specialty", "day_part", "device_type"]


@dataclass(frozen=True)
class Matching:
    """What is known of providers' satisfaction, in points of 1 to 5.

    Attributes
    ----------
    means : Series by specialty
    provider_weight, need_weight : float
        Answers that a mean is worth before any of the provider, and of the provider for the need:
        the variance inside groups over that between them. Infinite where groups do not differ.
    """

    means: pd.Series
    provider_weight: float
    need_weight: float

    @classmethod
    def learn(cls, answers: pd.DataFrame) -> Matching:
        """Learn from answers: `provider_key`, the columns of a need, `overall_satisfaction`."""
        values = answers["overall_satisfaction"].to_numpy(float)
        specialty = answers.groupby("specialty").ngroup().to_numpy()
        provider = answers.groupby(["specialty", "provider_key"]).ngroup().to_numpy()
        need = answers.groupby(["specialty", "provider_key", "day_part", "device_type"]).ngroup()

        def weight(inner: np.ndarray, outer: np.ndarray) -> float:
            within, between = variances(values, inner, outer)
            return within / between if between > 0 else np.inf

        return cls(
            answers.groupby("specialty")["overall_satisfaction"].mean(),
            weight(provider, specialty),
            weight(need.to_numpy(), provider),
        )

    def score(self, answers: pd.DataFrame, wanted: pd.DataFrame) -> np.ndarray:
        """Expect a satisfaction of each provider and need wanted, from these answers.

        The provider's mean is shrunk towards that of the specialty, and the provider's mean for
        the need towards that (Efron and Morris 1975). Not-a-number where nothing is known of the
        specialty.
        """

        def shrunk(keys: list[str], prior: np.ndarray, weight: float) -> np.ndarray:
            known = answers.groupby(keys)["overall_satisfaction"].agg(["sum", "count"])
            found = wanted[keys].merge(known, "left", left_on=keys, right_index=True).fillna(0)
            n = found["count"].to_numpy(float)
            share = np.zeros(len(n)) if np.isinf(weight) else n / np.maximum(n + weight, 1e-300)
            mean = found["sum"].to_numpy(float) / np.maximum(n, 1)
            return prior + share * (np.where(n > 0, mean, prior) - prior)

        prior = wanted["specialty"].map(self.means).to_numpy(float)
        prior = shrunk(["provider_key"], prior, self.provider_weight)
        return shrunk(["provider_key", *MATCH_NEED[1:]], prior, self.need_weight)


def _judge_matches(past: pd.DataFrame, future: pd.DataFrame, learned: Matching) -> dict:
    """Compare answers about whoever would have been ranked first with those about anybody."""
    known = pd.concat([past, future])[["specialty", "provider_key"]].drop_duplicates()
    needs = future[MATCH_NEED].drop_duplicates()
    wanted = needs.merge(known, "inner", "specialty")
    wanted["expected"] = learned.score(past, wanted)
    order = [*MATCH_NEED, "expected", "provider_key"]
    wanted = wanted.sort_values(order, ascending=[True] * 3 + [False, True], kind="stable")
    first = wanted.drop_duplicates(MATCH_NEED)[[*MATCH_NEED, "provider_key"]]
    chosen = future.merge(first, "inner", [*MATCH_NEED, "provider_key"])
    by_provider = future.groupby(["specialty", "provider_key"])["overall_satisfaction"].mean()
    anybody = chosen["specialty"].map(by_provider.groupby("specialty").mean()).to_numpy(float)
    found = {"n_judged": float(len(chosen)), "n_needs_judged": float(len(needs))}
    if len(chosen) < MINIMUM_ROWS:
        return found
    gain = chosen["overall_satisfaction"].to_numpy(float) - anybody
    margin = Z_95 * float(gain.std(ddof=1)) / np.sqrt(len(gain))
    score = float(chosen["overall_satisfaction"].mean())
    differ = min(learned.provider_weight, learned.need_weight) < np.inf
    return found | {
        "score": score,
        "score_low": score - margin,
        "score_high": score + margin,
        "baseline_score": float(anybody.mean()),
        "gain": float(gain.mean()),
        "is_reliable": float(differ and gain.mean() > margin),
    }


def fit_match(visits: pd.DataFrame, train_share: float) -> pd.DataFrame:
    """Fit how far to trust what is known of a provider, for ranking providers by need.

    Parameters
    ----------
    visits : DataFrame
        Rows of `provider_match_features` by time and identifier: `appointment_date`,
        `provider_key`, `specialty`, `day_part`, `device_type` and `overall_satisfaction`
        (not-a-number where nobody answered).
    train_share : float
        Share of the answered visits, the oldest, that the scored ranking is learned from.

    Returns
    -------
    DataFrame
        The tidy table. Weights and means are of all visits, because a ranking uses all that is
        known; the metrics are of the same procedure applied to the older ones. Score is the mean
        satisfaction, out of time, of visits with the provider ranked first for the visit's need;
        the baseline is that of a provider of the specialty taken at random. With fewer than
        `MINIMUM_ROWS` answers nothing is fitted, with fewer to score by there is no score.

    Notes
    -----
    Empirical Bayes (Efron and Morris 1975) with variances by `variances`.
    """
    answers = visits[visits["overall_satisfaction"].notna()]
    day = split_day(answers["appointment_date"], train_share)
    is_old = is_before(answers["appointment_date"], day)
    metrics: dict[str, float] = {"n_rows": len(visits), "n_fitted": len(answers)}
    rows: list[dict] = []
    if len(answers) >= MINIMUM_ROWS:
        learned = Matching.learn(answers)
        rows = [
            value_row("baseline", "specialty", mean, level) for level, mean in learned.means.items()
        ]
        rows += [
            value_row("weight", name, weight)
            for name, weight in (
                ("provider", learned.provider_weight),
                ("need", learned.need_weight),
            )
            if np.isfinite(weight)
        ]
        past, future = answers[is_old], answers[~is_old]
        if len(past) >= MINIMUM_ROWS:
            metrics |= _judge_matches(past, future, Matching.learn(past))
    settings = {"train_share": train_share}
    return tidy_table(
        "provider_match",
        fingerprint(visits),
        settings,
        with_verdict(metrics),
        rows,
        held_out_from(day),
    )
