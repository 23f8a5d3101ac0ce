"""The patients and physicians behind the sample, before any dirt: their groups, date by date.

Every number is a function of seed, purpose and row number, and of integer arithmetic only, so that
threads and machines cannot change a byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from wardhouse.synthetic.seeds import deal, draw, lanes

DATES = np.array(["2024-09-30", "2024-12-31", "2025-03-31", "2025-06-30"], "datetime64[D]")
FIRST_DATE = DATES[0]
DAYS = (DATES - FIRST_DATE).astype(np.int64)
N_DATES = len(DATES)
FEATURES = (
    "satisfaction_score",
    "engagement_level",
    "procedure_frequency",
    "referral_rate",
    "technology_adoption",
)
SATISFACTION, ENGAGEMENT, PROCEDURES, REFERRALS, ADOPTION = range(len(FEATURES))
LOWEST, HIGHEST = np.array([[10, 0, 0, 0, 0], [100, 1000, 4000, 10_000, 100]])  # tenths
TYPES = PATIENT, PHYSICIAN = range(2)
TYPE_NAMES = ("patient", "physician")
LETTERS = ("EP", "ED")
PATIENTS_IN_17 = 12
MOVES = 40  # of 1,000 persons in a quarter
SLIDES = 150  # of 1,000 high-volume adopters in the last quarter: more than noise would move
JOINED_LATER = 80  # of 1,000
LONGEST_BEFORE = 2190  # days between a person's first day and the first date
NOTICED = 800  # of 1,000 departures have their date
AGE_SPREAD = 90  # tenths of a year


class Group(NamedTuple):
    """A planted group.

    Attributes
    ----------
    name : str
    centre : tuple of int
        Of each feature on the first date, in tenths.
    drift : tuple of int
        What a quarter adds to it, in tenths.
    departures : int
        Of 1,000 persons in a quarter.
    value : int
        Typical annual value, in whole units.
    age : int
        Typical age, in years.
    """

    name: str
    centre: tuple[int, ...]
    drift: tuple[int, ...]
    departures: int
    value: int
    age: int


CHAMPIONS, HIGH_VOLUME, AT_RISK, DIGITAL, TRADITIONAL = range(5)
GROUPS = (
    (
        Group("Champions", (89, 810, 200, 75, 50), (0, 8, 0, 1, 1), 8, 5200, 52),
        Group("High-Volume Adopters", (69, 600, 640, 30, 87), (0, 0, 6, 0, 1), 8, 9100, 44),
        Group("At-Risk", (45, 230, 140, 12, 42), (-1, -6, 0, 0, 0), 160, 1400, 47),
        Group("Moderate: digital", (64, 560, 100, 20, 82), (0, 0, 0, 0, 1), 150, 2100, 33),
        Group("Moderate: traditional", (80, 400, 340, 64, 18), (0, 2, 0, 0, 0), 8, 3000, 69),
    ),
    (
        Group("Champions", (89, 810, 600, 200, 52), (0, 8, 0, 2, 1), 10, 52_000, 51),
        Group("High-Volume Adopters", (70, 580, 1900, 80, 87), (0, 0, 15, 0, 1), 10, 96_000, 43),
        Group("At-Risk", (45, 240, 400, 40, 41), (-1, -6, 0, 0, 0), 120, 15_000, 50),
        Group("Moderate: digital", (64, 540, 350, 60, 82), (0, 0, 0, 0, 1), 40, 24_000, 38),
        Group("Moderate: traditional", (80, 420, 1100, 180, 19), (0, 2, 0, 0, 0), 10, 33_000, 62),
    ),
)
SPREADS = np.array([[5, 50, 40, 8, 6], [5, 50, 120, 20, 6]])  # deviation in a group, tenths
N_GROUPS = len(GROUPS[PATIENT])
WEIGHTS = (20, 25, 18, 18, 19)  # of the groups on the first date
# Without groups: one cloud about one centre, in which one cause moves all five features.
ONE_CLOUD = (
    (Group("one cloud", (65, 520, 280, 40, 55), (0, 0, 0, 0, 0), 40, 4000, 50),),
    (Group("one cloud", (65, 520, 900, 110, 55), (0, 0, 0, 0, 0), 25, 40_000, 50),),
)
CLOUD_SPREADS = np.array([[12, 140, 70, 11, 13], [12, 140, 220, 30, 13]])


@dataclass(frozen=True)
class Population:
    """N persons on the four dates.

    Attributes
    ----------
    groups : tuple of tuple of Group
        Those of patients and those of physicians.
    person_type : numpy.ndarray, shape (N,)
        `PATIENT` or `PHYSICIAN`; patients come first.
    number : numpy.ndarray, shape (N,)
        Of the person among those of its type.
    group : numpy.ndarray, shape (N, 4)
        On each date.
    is_present : numpy.ndarray of bool, shape (N, 4)
        Whether the person is there on each date.
    first_seen, left : numpy.ndarray, shape (N,)
        Days since the first date; a person who stays has -1 as `left`.
    is_noticed : numpy.ndarray of bool, shape (N,)
        Whether the feed tells the day of a departure.
    features : numpy.ndarray, shape (N, 4, 5)
        In tenths.
    value_cents : numpy.ndarray, shape (N, 4)
    consent : numpy.ndarray, shape (N,)
        0 unknown, 1 yes, 2 no.
    age, distance : numpy.ndarray, shape (N,)
        Years on the first date, and tenths of a kilometre.
    """

    groups: tuple[tuple[Group, ...], ...]
    person_type: np.ndarray
    number: np.ndarray
    group: np.ndarray
    is_present: np.ndarray
    first_seen: np.ndarray
    left: np.ndarray
    is_noticed: np.ndarray
    features: np.ndarray
    value_cents: np.ndarray
    consent: np.ndarray
    age: np.ndarray
    distance: np.ndarray

    @property
    def has_left(self) -> np.ndarray:
        """Whether a person leaves before the last date, shape (N,)."""
        return self.left >= 0

    @property
    def has_moved(self) -> np.ndarray:
        """Whether a person changes group while there, shape (N,)."""
        moves = self.group[:, 1:] != self.group[:, :-1]
        return (moves & self.is_present[:, 1:] & self.is_present[:, :-1]).any(axis=1)

    @property
    def n_digits(self) -> int:
        """How many digits the number of an id has."""
        return max(4, len(str(len(self.number))))

    def id_of(self, person: int) -> str:
        """Give a person's id."""
        letters = LETTERS[self.person_type[person]]
        return f"{letters}{self.number[person] + 1:0{self.n_digits}}"

    def group_name(self, person: int, date: int) -> str:
        """Give the name of a person's group on a date; blank where the person is not there."""
        if not self.is_present[person, date]:
            return ""
        return self.groups[self.person_type[person]][self.group[person, date]].name


def populate(people: int, groups: int, seed: int) -> Population:
    """Make the persons.

    Parameters
    ----------
    people : int
        How many, at least 1; 5 of 17 are physicians.
    groups : int
        5 planted groups of either type, or 0 for one cloud each.
    seed : int

    Returns
    -------
    Population
    """
    planted = GROUPS if groups else ONE_CLOUD
    n_patients = -(-people * PATIENTS_IN_17 // 17)
    person_type = np.repeat(TYPES, [n_patients, people - n_patients])
    first = deal(WEIGHTS, draw(seed, "group", people))
    group = _moved(first, seed) if groups else np.zeros((people, N_DATES), np.int64)
    joined, first_seen = _joined(people, seed)
    left = _left(planted, person_type, group, joined, seed)
    is_there = (left[:, None] < 0) | (left[:, None] > DAYS)
    value, noticed, consent, distance = lanes(draw(seed, "person", people))
    typical = _of_groups(planted, "value")[person_type[:, None], group] * 100
    return Population(
        groups=planted,
        person_type=person_type,
        number=np.arange(people) - np.where(person_type == PHYSICIAN, n_patients, 0),
        group=group,
        is_present=is_there & (np.arange(N_DATES) >= joined[:, None]),
        first_seen=first_seen,
        left=left,
        is_noticed=noticed * 1000 >> 16 < NOTICED,
        features=_features(planted, person_type, group, seed),
        value_cents=typical * (45_875 + (value[:, None] * 39_322 >> 16)) >> 16,
        consent=deal([10, 45, 45], consent.astype(np.uint64) << np.uint64(48)),
        age=np.clip(_ages(planted, person_type, group[:, 0], seed), 18, 97),
        distance=3 + distance * distance // 12_000_000,
    )


def _of_groups(planted: tuple[tuple[Group, ...], ...], what: str) -> np.ndarray:
    """Give what the groups say, shape (2, groups) or (2, groups, 5)."""
    return np.array([[getattr(each, what) for each in groups] for groups in planted])


def _noise(seed: int, purpose: str, rows: int) -> np.ndarray:
    """Draw nearly normal numbers in thousandths of a deviation: a sum of four uniform ones."""
    return (lanes(draw(seed, purpose, rows)).sum(axis=0) - 131_070) * 1000 // 37_837


def _moved(first: np.ndarray, seed: int) -> np.ndarray:
    """Let some persons change group for good, half of them to At-Risk, shape (N, 4).

    In the last quarter high-volume adopters slide to At-Risk.
    """
    n = len(first)
    luck, choice, worse, slide = lanes(draw(seed, "move", n))
    # One draw says in which of the three quarters, if in any.
    quarter = 1 + (luck * 1000 >> 16) // MOVES
    other = (first + 1 + (choice * (N_GROUPS - 1) >> 16)) % N_GROUPS
    to = np.where((worse % 2 == 0) & (first != AT_RISK), AT_RISK, other)
    group = np.where(np.arange(N_DATES) >= quarter[:, None], to[:, None], first[:, None])
    stays = (first == HIGH_VOLUME) & (group[:, -1] == HIGH_VOLUME)
    group[stays & (slide * 1000 >> 16 < SLIDES), -1] = AT_RISK
    return group


def _joined(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the first date of each person, and the first day in days since the first date."""
    luck, later, before, soon = lanes(draw(seed, "joined", n))
    joined = np.where(luck * 1000 >> 16 < JOINED_LATER, 1 + (later * (N_DATES - 1) >> 16), 0)
    long_before = -30 - (before * (LONGEST_BEFORE - 30) >> 16)
    return joined, np.where(joined > 0, DAYS[joined] - 1 - (soon * 80 >> 16), long_before)


def _left(
    planted: tuple[tuple[Group, ...], ...],
    person_type: np.ndarray,
    group: np.ndarray,
    joined: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Draw the day of departure, -1 for none: after a date by the risk of the group on it."""
    left = np.full(len(joined), -1)
    risks = _of_groups(planted, "departures")
    for date in range(N_DATES - 1):
        luck, day, *_ = lanes(draw(seed, f"departure {date}", len(joined)))
        leaves = (luck * 1000 >> 16 < risks[person_type, group[:, date]]) & (joined <= date)
        days = DAYS[date + 1] - DAYS[date] - 1
        left = np.where((left < 0) & leaves, DAYS[date] + 1 + (day * days >> 16), left)
    return left


def _features(
    planted: tuple[tuple[Group, ...], ...], person_type: np.ndarray, group: np.ndarray, seed: int
) -> np.ndarray:
    """Draw features, shape (N, 4, 5), tenths: what is a person's own stays from date to date."""
    n, has_groups = len(person_type), len(planted[PATIENT]) > 1
    kind = person_type[:, None]
    quarters = np.arange(N_DATES)[:, None]
    centres = _of_groups(planted, "centre")[kind, group]
    centres = centres + _of_groups(planted, "drift")[kind, group] * quarters
    common = _noise(seed, "common cause", n)
    features = np.empty(centres.shape, np.int64)
    for place, name in enumerate(FEATURES):
        own = _noise(seed, name, n)
        if not has_groups:
            own = (8 * common + 6 * own) // 10
        now = _noise(seed, f"{name} of a date", n * N_DATES).reshape(n, N_DATES)
        spreads = (SPREADS if has_groups else CLOUD_SPREADS)[person_type, place][:, None]
        features[..., place] = spreads * (9 * own[:, None] + 4 * now)
    return np.clip(centres + (features + 5000) // 10_000, LOWEST, HIGHEST)


def _ages(
    planted: tuple[tuple[Group, ...], ...], person_type: np.ndarray, group: np.ndarray, seed: int
) -> np.ndarray:
    """Draw ages in years, which differ by group."""
    typical = _of_groups(planted, "age")[person_type, group]
    return typical + (AGE_SPREAD * _noise(seed, "age", len(group)) + 5000) // 10_000
