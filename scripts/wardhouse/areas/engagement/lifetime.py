"""What a member of a persona is worth over the years to come: annual value times survival."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import MINIMUM_CASES

if TYPE_CHECKING:
    from collections.abc import Iterable

N_DRAWS = 500
DAYS_OF_YEAR = 365.25
OBSERVED, ASSUMED, UNKNOWN = "observed", "assumed", "unknown"
COLUMNS = {
    "person_type": "string",
    "persona_number": "int64",
    "n_people": "int64",
    "n_value_known": "int64",
    "n_departures": "Int64",
    "observed_years": "float64",
    "mean_annual_value": "float64",
    "discounted_years": "float64",
    "lifetime_value": "float64",
    "lifetime_value_low": "float64",
    "lifetime_value_high": "float64",
    "retention_source": "string",
}


class Horizon(NamedTuple):
    """How far a lifetime value looks.

    Attributes
    ----------
    years : float
        Above 0.
    discount_rate : float
        By which a unit of value is worth less a year later, such as 0.03.
    """

    years: float
    discount_rate: float

    @property
    def worth(self) -> np.ndarray:
        """What each day is worth today, in years, shape (days,)."""
        days = np.arange(max(1, round(self.years * DAYS_OF_YEAR)))
        return (1 + self.discount_rate) ** -((days + 0.5) / DAYS_OF_YEAR) / DAYS_OF_YEAR


def survival(n_ended: np.ndarray, n_left: np.ndarray, n_days: int) -> np.ndarray:
    """Estimate who is still there at the end of each day (Kaplan and Meier 1958).

    Parameters
    ----------
    n_ended : ndarray, shape (..., m)
        People whose time ends on each day, from day 0.
    n_left : ndarray, shape (..., m)
        Those of them who left; the others were still there when last seen.
    n_days : int
        Days to estimate, from day 0.

    Returns
    -------
    ndarray, shape (..., n_days)
        Shares in 0..1. After the last day on which anybody was seen, departures go on at their
        mean rate: those who left by all days that people were seen.

    Notes
    -----
    It equals `scipy.stats.ecdf` of censored data, which a test holds, and takes weights: all
    draws of a bootstrap are one computation.
    """
    n_there = np.cumsum(n_ended[..., ::-1], axis=-1)[..., ::-1]
    hazard = np.divide(n_left, n_there, out=np.zeros(n_there.shape), where=n_there > 0)
    share = np.cumprod(1 - hazard, axis=-1)
    known = share.shape[-1]
    if n_days <= known:
        return share[..., :n_days]
    seen = n_ended @ np.maximum(np.arange(known), 0.5)
    rate = np.divide(n_left.sum(axis=-1), seen, out=np.zeros(seen.shape), where=seen > 0)
    ahead = np.exp(-rate[..., None] * np.arange(1, n_days - known + 1))
    return np.concatenate([share, share[..., -1:] * ahead], axis=-1)


def value_of(
    people: pd.DataFrame, horizon: Horizon, retention: float | None, seed: int
) -> dict[str, float]:
    """Value the members of one persona, on average and with a bootstrap interval.

    Parameters
    ----------
    people : DataFrame
        `days_seen` (missing where unknown), `has_left` and `annual_value_amount` (missing where
        unknown), by person.
    horizon : Horizon
    retention : float or None
        Share that is assumed to stay a year; None where departures are observed.
    seed : int
        Of `N_DRAWS` draws of people with replacement.

    Returns
    -------
    dict of str to float
        `mean_annual_value`, `discounted_years`, `lifetime_value` and the ends of its 95 % interval;
        not a number where nobody's value is known.
    """
    worth = horizon.worth
    value = people["annual_value_amount"].to_numpy(float)
    is_known = np.isfinite(value)
    value = np.where(is_known, value, 0)
    is_seen = people["days_seen"].notna().to_numpy()
    days = np.where(is_seen, people["days_seen"].fillna(0), 0).astype(int)
    has_left = people["has_left"].to_numpy(bool)
    n_days = int(days.max(initial=0)) + 1

    def figures(counts: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        known = counts @ is_known
        mean = counts @ value / known if known else np.nan
        ended = np.bincount(days, counts * is_seen, n_days)
        return mean, ended, np.bincount(days, counts * (is_seen & has_left), n_days)

    generator = np.random.default_rng(seed)
    n = len(people)
    draws = (np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(N_DRAWS))
    # The first is of everybody once.
    mean, ended, left = _stacked(figures(counts) for counts in chain([np.ones(n)], draws))
    if retention is None:
        years = survival(ended, left, len(worth)) @ worth
    else:
        days_ahead = np.arange(1, len(worth) + 1)
        years = np.full(len(mean), retention ** (days_ahead / DAYS_OF_YEAR) @ worth)
    lifetime = mean * years
    drawn = lifetime[1:][np.isfinite(lifetime[1:])]
    low, high = np.quantile(drawn, [0.025, 0.975]) if is_known.any() else (np.nan, np.nan)
    return {
        "mean_annual_value": float(mean[0]),
        "discounted_years": float(years[0]),
        "lifetime_value": float(lifetime[0]),
        "lifetime_value_low": float(low),
        "lifetime_value_high": float(high),
    }


def _stacked(rows: Iterable[tuple]) -> tuple[np.ndarray, ...]:
    """Put figures of draws below each other."""
    return tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))


def persona_lifetimes(
    members: pd.DataFrame,
    departures: pd.DataFrame,
    assumptions: dict[str, float],
    horizon: Horizon,
    minimum_people: int,
    seed: int,
) -> pd.DataFrame:
    """Value the members of every persona.

    Parameters
    ----------
    members : DataFrame
        `person_type`, `person_key` and `persona_number`, a row for each person.
    departures : DataFrame
        Rows of `person_departures`: `person_type`, `person_key`, `has_left`, `days_seen` and
        `annual_value_amount`, a row for each person.
    assumptions : dict of str to float
        Share that is assumed to stay a year, by type: taken where fewer than `MINIMUM_CASES` of
        the type are known to have left. A type that is not there has no figures then.
    horizon : Horizon
    minimum_people : int
        Where the annual value of fewer members is known there are no figures.
    seed : int

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, by type and persona.
    """
    n_left = departures.groupby("person_type")["has_left"].sum()
    of_person = ["person_key", "has_left", "days_seen", "annual_value_amount"]
    people = members.merge(departures[of_person], on="person_key").sort_values("person_key")
    amounts = people["annual_value_amount"].astype(float)
    rows = []
    for (person_type, number), persons in people.assign(annual_value_amount=amounts).groupby(
        ["person_type", "persona_number"], sort=True
    ):
        is_known = n_left[person_type] >= MINIMUM_CASES
        retention = None if is_known else assumptions.get(person_type)
        is_assumed = retention is not None
        row = {
            "person_type": person_type,
            "persona_number": number,
            "n_people": len(persons),
            "n_value_known": int(persons["annual_value_amount"].notna().sum()),
            "n_departures": int(persons["has_left"].sum()) if is_known else None,
            "retention_source": OBSERVED if is_known else ASSUMED if is_assumed else UNKNOWN,
        }
        if row["n_value_known"] >= minimum_people and (is_known or is_assumed):
            row["observed_years"] = persons["days_seen"].max() / DAYS_OF_YEAR if is_known else None
            with single_threaded():
                row |= value_of(persons, horizon, retention, seed)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
