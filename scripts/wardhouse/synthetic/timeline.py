"""What simulated streams share: arrivals in a weekly rhythm, dirt, and messages in order of time.

Times are milliseconds since 1970 in UTC. Every number drawn is a function of seed, purpose and row
number, whatever the steps in which a stream is made.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wardhouse.synthetic.dirt import OUTCOMES, codes_of, kinds_of
from wardhouse.synthetic.seeds import draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wardhouse.synthetic.dirt import Shares

Block = dict[str, np.ndarray]
SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
STEP_ARRIVALS = 100_000  # about as many in a step of a fast stream
# Minutes that a step may take: a step never crosses midnight, so that a file holds one day.
STEP_MINUTES = [minutes for minutes in range(1, 1441) if 1440 % minutes == 0]


class Step(NamedTuple):
    """What a stream sends between two moments.

    Attributes
    ----------
    stop : int
        The end of the step, milliseconds.
    blocks : dict of str to Block
        By feed, its messages as columns in order of delivery; `delivery` is in milliseconds.
    """

    stop: int
    blocks: dict[str, Block]


def hour_of_week(time: np.ndarray) -> np.ndarray:
    """Tell the hour of the week, 0 on Monday at midnight, of times in milliseconds."""
    # 1970 began on a Thursday.
    return (np.asarray(time) // HOUR + 72) % 168


def uniform(seed: int, purpose: str, rows: np.ndarray) -> np.ndarray:
    """Draw a number in 0..1, both excluded, for each row."""
    return ((draw(seed, purpose, rows) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, purpose: str, rows: np.ndarray) -> np.ndarray:
    """Draw a standard normal number for each row (Box and Muller 1958)."""
    radius = np.sqrt(-2 * np.log(uniform(seed, purpose + " radius", rows)))
    return radius * np.cos(2 * np.pi * uniform(seed, purpose + " angle", rows))


class Arrivals:
    """A Poisson process whose rate follows the hour of the week.

    Parameters
    ----------
    weekly : numpy.ndarray, shape (168,)
        Mean arrivals an hour, from Monday at midnight.
    seed : int

    Attributes
    ----------
    n : int
        Arrivals so far; the next one has this row number.
    """

    def __init__(self, weekly: np.ndarray, seed: int) -> None:
        self._weekly = weekly
        self._seed = seed
        self.n = 0

    def between(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the row numbers and times of arrivals of whole minutes, in order of time."""
        counts = []
        for hour in range(start // HOUR, -(-stop // HOUR)):
            digest = hashlib.sha256(f"{self._seed} arrivals {hour}".encode()).digest()
            dice = np.random.Generator(np.random.Philox(int.from_bytes(digest[:8], "little")))
            counts.append(dice.poisson(self._weekly[(hour + 72) % 168] / 60, 60))
        first = start % HOUR // MINUTE
        counts = np.concatenate(counts)[first : first + (stop - start) // MINUTE]
        rows = self.n + np.arange(counts.sum())
        self.n += len(rows)
        minute = np.repeat(np.arange(len(counts)), counts)
        within = (uniform(self._seed, "moment", rows) * MINUTE).astype(np.int64)
        return rows, np.sort(start + MINUTE * minute + within)


def step_minutes(arrivals_per_hour: float) -> int:
    """Choose how many minutes a step takes, by how much happens in them."""
    wanted = STEP_ARRIVALS / max(arrivals_per_hour / 60, 1e-9)
    return max(minutes for minutes in STEP_MINUTES if minutes <= max(1, wanted))


def edges(start: int, stop: int | None, minutes: int) -> Iterator[tuple[int, int]]:
    """Cut time into steps that end at multiples of so many minutes of the day."""
    while stop is None or start < stop:
        end = start - start % DAY + (start % DAY // (minutes * MINUTE) + 1) * minutes * MINUTE
        yield start, end
        start = end


def take(block: Block, which: np.ndarray) -> Block:
    """Take rows of a block, by mask or by row numbers."""
    return {name: column[which] for name, column in block.items()}


def join(blocks: list[Block]) -> Block:
    """Put blocks of the same columns below each other."""
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


class Waiting:
    """Messages that are made and not yet due.

    Parameters
    ----------
    start : int
        A message sent before it is dropped, with its copies.
    stop : int, optional
        A message due from then on is dropped; never when it is None.
    """

    def __init__(self, start: int, stop: int | None) -> None:
        self._start = start
        self._stop = stop
        self._block: Block | None = None

    def add(self, block: Block) -> None:
        """Add messages in any order; `delivery` says when each is due, `told` its first telling."""
        wanted = block["told"] >= self._start
        if self._stop is not None:
            wanted &= block["told"] < self._stop
        block = take(block, wanted)
        if self._stop is not None:
            # What is sent twice is sent twice before the end.
            block["delivery"] = np.minimum(block["delivery"], self._stop - 1)
        self._block = block if self._block is None else join([self._block, block])

    def due(self, until: int) -> Block:
        """Take out the messages due before a moment, in order."""
        is_due = self._block["delivery"] < until
        block = take(self._block, is_due)
        self._block = take(self._block, ~is_due)
        order = np.lexsort((block["is_copy"], block["event"], block["delivery"]))
        return take(block, order)


def deal_dirt(
    dirt: Shares, feed: str, seed: int, event: np.ndarray, eligible: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Deal at most one kind of dirt to each event.

    Parameters
    ----------
    dirt : Shares
        The share of each kind among the events that can bear it.
    feed : str
        Feed that the kinds name.
    seed : int
    event : numpy.ndarray, shape (n,), int64
        Row numbers of the events.
    eligible : mapping of str to numpy.ndarray of bool, shape (n,)
        Events that can bear a kind; all of them when it is not named.

    Returns
    -------
    numpy.ndarray, shape (n,), uint8
        A code by `codes_of`; 0 is clean.
    """
    kinds = kinds_of(dirt)
    codes = codes_of(kinds)
    luck = uniform(seed, "dirt of " + feed, event)
    kind = np.zeros(len(event), np.uint8)
    floor = 0.0
    for name, metadata in kinds.items():
        if metadata["feed"] != feed:
            continue
        share = getattr(dirt, name)
        hit = (luck >= floor) & (luck < floor + share)
        kind[hit & eligible[name] if name in eligible else hit] = codes[name]
        floor += share
    if floor > 1:
        raise ValueError(f"{feed}: the shares of dirt add up to {floor:.2f}, more than every event")
    return kind


def copies_of(dirt: type[Shares]) -> list[int]:
    """Name the codes of the kinds whose event is sent twice."""
    kinds = kinds_of(dirt)
    codes = codes_of(kinds)
    return [codes[name] for name in kinds if len(kinds[name]["outcomes"]) == 2]


def copy_share(dirt: Shares) -> float:
    """Tell how many more messages there are because events are sent twice."""
    kinds = kinds_of(dirt)
    return sum(getattr(dirt, name) for name in kinds if len(kinds[name]["outcomes"]) == 2)


def message_macros(seed: int) -> dict[str, str]:
    """Name what the queries of all streams' messages need."""
    return {
        "clock_shift()": "0",  # milliseconds to add to every time
        "instant(ms)": "strftime(make_timestamp_ms(ms + clock_shift()), '%Y-%m-%dT%H:%M:%S.%g')",
        # A UUID made of a name's MD5 (version 3 of RFC 9562).
        "uuid_of(hash)": "substr(hash, 1, 14) || '3' || substr(hash, 16, 4) || '8'"
        " || substr(hash, 21)",
        "named_uuid(what, row)": f"uuid_of(md5(what || ' {seed} ' || row)::uuid::varchar)",
        # What is missing is absent, null or blank.
        "nothing(name, pick)": """['', '"' || name || '":null,', '"' || name || '":"",']
            [1 + pick % 3]""",
    }


def as_sent(lines: bytes) -> bytes:
    """Put a byte that no text holds where the queries wrote U+E000."""
    return lines.replace("\ue000".encode(), b"\xff")


class Told:
    """Counts of what was sent, by kind of dirt: the truth about a recorded stream.

    Parameters
    ----------
    dirt : type of Shares
    """

    def __init__(self, dirt: type[Shares]) -> None:
        self._kinds = kinds_of(dirt)
        self._counts = np.zeros((2, len(self._kinds) + 1), np.int64)

    def add(self, block: Block) -> None:
        """Count a block's messages."""
        for is_copy in (False, True):
            kinds = block["kind"][block["is_copy"] == is_copy]
            self._counts[int(is_copy)] += np.bincount(kinds, minlength=self._counts.shape[1])

    def __len__(self) -> int:
        """Count all messages."""
        return int(self._counts.sum())

    def outcomes(self) -> dict[str, tuple[int, int, int]]:
        """Count the accepted, rejected and duplicate messages of each kind, clean ones first."""
        outcomes = {"clean": (int(self._counts[0, 0]), 0, 0)}
        for code, (name, metadata) in enumerate(self._kinds.items(), start=1):
            if not self._counts[0, code]:
                continue
            tellings = list(zip(metadata["outcomes"], self._counts[:, code].tolist(), strict=False))
            outcomes[name] = tuple(sum(n for told, n in tellings if told == o) for o in OUTCOMES)
        return outcomes
