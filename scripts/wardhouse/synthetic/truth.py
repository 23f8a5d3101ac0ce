"""The truth about a sample: what a build must make of its records."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wardhouse.synthetic.dirt import Soiled

TRUTH_ROWS = 100_000  # larger samples come without the table of accepted treatments


@dataclass(frozen=True)
class FeedTruth:
    """What must become of a feed's records: n_raw = n_accepted + n_rejected + n_duplicates."""

    n_raw: int
    n_accepted: int
    n_rejected: int
    n_duplicates: int


@dataclass(frozen=True, kw_only=True)
class SampleSummary:
    """What was written of a sample.

    Attributes
    ----------
    feeds : dict of str to FeedTruth
    dirt : dict of str to int
        Records that bear each kind of dirt; of events with the copies.
    raw_dir, truth_dir : pathlib.Path
        Where the feeds and the truth about them are.
    """

    feeds: dict[str, FeedTruth]
    dirt: dict[str, int]
    raw_dir: Path
    truth_dir: Path


def write_expected(truth_dir: Path, soiled: dict[str, Soiled]) -> dict[str, FeedTruth]:
    """Write how many records must be accepted, rejected or duplicates, by kind and by feed."""
    counts = ["n_accepted", "n_rejected", "n_duplicates"]
    kinds = [
        (feed, kind, *numbers)
        for feed in soiled
        for kind, numbers in soiled[feed].outcomes().items()
    ]
    write_rows(truth_dir / "expected_dirt.csv", ["feed", "kind", *counts], kinds)
    feeds = {}
    for feed in soiled:
        columns = zip(*(numbers for name, _, *numbers in kinds if name == feed), strict=True)
        sums = [sum(column) for column in columns]
        feeds[feed] = FeedTruth(sum(sums), *sums)
    rows = [(feed, *vars(truth).values()) for feed, truth in feeds.items()]
    write_rows(truth_dir / "expected_feeds.csv", ["feed", "n_raw", *counts], rows)
    return feeds


def write_rows(path: Path, header: list[str], rows: Sequence[Sequence]) -> None:
    """Write a small table as CSV."""
    with path.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target, lineterminator="\n").writerows([header, *rows])
