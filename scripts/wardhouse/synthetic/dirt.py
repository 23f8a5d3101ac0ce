"""The dirt of the sample: which kinds there are, how much of each, and what becomes of it.

A record bears at most one kind of dirt, so that the expected counts are exact.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    import numpy as np


OUTCOMES = ("accepted", "rejected", "duplicate")


def declare_kind(share: float, feed: str, outcome: str = "accepted", copy: str | None = None):
    """Declare a kind: its default share, and the outcome of the record and of its later copy."""
    metadata = {"feed": feed, "outcomes": (outcome,) if copy is None else (outcome, copy)}
    return dataclasses.field(default=share, metadata=metadata)


class Shares:
    """Shares of dirt, the fields of a data class made by `declare_kind`.

    Raises
    ------
    ValueError
        If a share is outside 0..1.
    """

    def __post_init__(self) -> None:
        """Refuse what is not a share."""
        for kind, share in dataclasses.asdict(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"{kind}: a share lies between 0 and 1, not {share}")

    def scaled(self, factor: float) -> Self:
        """Multiply every share, up to 1; zero gives clean data."""
        return type(self)(**{kind: min(1, share * factor) for kind, share in vars(self).items()})

    def counts(self, feed: str, n: int) -> dict[str, int]:
        """Count the records of a feed of `n` that bear each kind; kinds of no record are left out.

        Raises
        ------
        ValueError
            If the kinds together want more records than there are.
        """
        # Rounded first: 0.007 * 1000 is a little above 7.
        counts = {
            kind: math.ceil(round(getattr(self, kind) * n, 6))
            for kind, metadata in kinds_of(self).items()
            if metadata["feed"] == feed and getattr(self, kind) > 0
        }
        if (wanted := sum(counts.values())) > n:
            raise ValueError(
                f"{feed}: the dirt wants {wanted} records and there are {n}; "
                "ask for more records or less dirt"
            )
        return counts


def kinds_of(dirt: Shares | type[Shares]) -> dict[str, Mapping]:
    """Name the kinds of dirt, each with its feed and the outcomes of its records."""
    return {field.name: field.metadata for field in dataclasses.fields(dirt)}


def codes_of(kinds: Iterable[str]) -> dict[str, int]:
    """Give each kind a number from 1; 0 is clean."""
    return {"clean": 0} | {kind: code for code, kind in enumerate(kinds, start=1)}


@dataclass(frozen=True)
class Soiled:
    """The records of a feed in file order, r of them, made of n clean rows.

    Attributes
    ----------
    row : numpy.ndarray, shape (r,), int64
        Clean row that the record is of.
    kind : numpy.ndarray, shape (r,), uint8
        Its dirt, one of `CODES`.
    is_copy : numpy.ndarray, shape (r,), bool
        True for the later one of two records of the same row.
    counts : dict of str to int
        Rows that bear each kind.
    kinds : mapping of str to mapping
        Every kind that there is, with its feed and the outcomes of its records.
    """

    row: np.ndarray
    kind: np.ndarray
    is_copy: np.ndarray
    counts: dict[str, int]
    kinds: Mapping[str, Mapping]

    def outcomes(self) -> dict[str, tuple[int, int, int]]:
        """Count the accepted, rejected and duplicate records of each kind, clean ones first."""
        outcomes = {
            kind: tuple(n * self.kinds[kind]["outcomes"].count(what) for what in OUTCOMES)
            for kind, n in self.counts.items()
        }
        n_clean = len(self.row) - sum(map(sum, outcomes.values()))
        return {"clean": (n_clean, 0, 0)} | outcomes


def soil(
    feed: str, dirt: Shares, keys: np.ndarray, eligible: Mapping[str, np.ndarray] | None = None
) -> Soiled:
    """Deal the dirt of a feed to its rows and place the copies a little later in the file.

    Parameters
    ----------
    feed : str
        Feed that the kinds name.
    dirt : Shares
        Of which kinds, how much.
    keys : numpy.ndarray, shape (n,), uint64
        Random numbers, one a row; the lowest bear the dirt.
    eligible : mapping of str to numpy.ndarray of bool, shape (n,), optional
        Rows that can bear a kind; all rows when it is not named.

    Returns
    -------
    Soiled

    Raises
    ------
    ValueError
        If there are too few rows, or too few eligible ones, for the dirt asked for.
    """
    import numpy as np

    n = len(keys)
    kinds, counts = kinds_of(dirt), dirt.counts(feed, n)
    codes = codes_of(kinds)
    pool = np.argsort(keys, kind="stable") if counts else np.empty(0, np.int64)
    kind = np.zeros(n, np.uint8)
    choosy = sorted(counts, key=lambda name: name not in (eligible or {}))
    for name in choosy:
        candidates = pool[eligible[name][pool]] if name in (eligible or {}) else pool
        chosen = candidates[: counts[name]]
        if len(chosen) < counts[name]:
            raise ValueError(f"{feed}: too few rows can bear {name}; ask for more records")
        kind[chosen] = codes[name]
        pool = pool[kind[pool] == 0] if len(candidates) < len(pool) else pool[len(chosen) :]

    copied = [codes[name] for name in counts if len(kinds[name]["outcomes"]) == 2]
    rows = np.flatnonzero(np.isin(kind, copied))
    places = np.minimum(rows + 1 + (keys[rows] % np.uint64(200)).astype(np.int64), n)
    return Soiled(
        row=np.insert(np.arange(n), places, rows),
        kind=np.insert(kind, places, kind[rows]),
        is_copy=np.insert(np.zeros(n, bool), places, True),
        counts=counts,
        kinds=kinds,
    )


def turns(kind: np.ndarray) -> np.ndarray:
    """Count the records of each kind from 0, in order, shape (n,)."""
    import numpy as np

    by_kind = np.argsort(kind, kind="stable")
    counts = np.bincount(kind)
    turns = np.empty(len(kind), np.int64)
    turns[by_kind] = np.arange(len(kind)) - np.repeat(np.cumsum(counts) - counts, counts)
    return turns


def with_shares(dirt: Shares, options: Sequence[str]) -> Shares:
    """Set single shares from options such as `cost_blank=0.01`."""
    shares, kinds = {}, kinds_of(dirt)
    for option in options:
        kind, _, share = option.partition("=")
        if kind not in kinds:
            raise ValueError(f"no dirt is called {kind!r}; there are {', '.join(kinds)}")
        try:
            shares[kind] = float(share)
        except ValueError:
            raise ValueError(f"{option!r}: give a share such as {kind}=0.01") from None
    return replace(dirt, **shares)
