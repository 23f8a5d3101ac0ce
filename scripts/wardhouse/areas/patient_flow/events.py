"""Patients who arrive, wait, stay and leave, as the events of feed patient_flow.patient_events.

What is planted, and `uniform` takes away: every department has its own rhythm; who comes to the
emergency department in the evening stays and waits longer (`BOTTLENECK`), so that in those hours
admissions outrun discharges; oncology keeps people waiting at any hour (`SLOW`); and waits grow
with the share of beds in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING

import numpy as np
from wardhouse.areas.patient_flow.dirt import CODES, DEFAULT_DIRT, FEED, KINDS, PatientFlowDirt
from wardhouse.areas.patient_flow.lines import MESSAGES
from wardhouse.areas.patient_flow.population import (
    ADULTS,
    ALIKE,
    BOTTLENECK,
    BOTTLENECK_HOURS,
    BOTTLENECK_WAIT,
    DEPARTMENTS,
    LOAD_EFFECT,
    LONGEST_STAY,
    MOTHERS,
    MOVE_HOURS,
    MOVE_SHARE,
    NAMES,
    OLDEST,
    PLANNED_LOAD,
    RETURN_SHARE,
    SHUFFLE,
    SLOW,
    SLOW_WAIT,
    VISITORS,
    WAIT_SPREAD,
    YOUNGEST,
    Department,
    stay_factors,
    weekly_rates,
)
from wardhouse.synthetic.seeds import draw, lanes
from wardhouse.synthetic.timeline import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Arrivals,
    Step,
    Waiting,
    copies_of,
    copy_share,
    deal_dirt,
    edges,
    hour_of_week,
    join,
    message_macros,
    normal,
    step_minutes,
    take,
    uniform,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardhouse.synthetic.timeline import Block

ADMITTED, MOVED, DISCHARGED = range(3)
WARM_UP_STAYS = 150_000  # a fast stream starts with the beds less full, and sooner


@dataclass(frozen=True)
class PatientFlow:
    """A stream of patient events.

    Attributes
    ----------
    rate : float
        Mean messages a second of simulated time; of a stream without end that is too fast to
        start with full beds, on its first day.
    start : int
        When the recording begins, milliseconds since 1970 in UTC.
    stop : int or None
        When it ends; never when it is None.
    seed : int
    dirt : PatientFlowDirt
    older_share : float
        Part of the stays sent by producers that send no event_id, event_time and wait.
    overlap_share : float
        Part of the stays on a bed that somebody else still has, where that can be.
    hospitals : int
        How many; the first are larger.
    uniform : bool
        No rhythm, nothing planted, all departments alike.

    Raises
    ------
    ValueError
        If a number makes no sense.
    """

    rate: float
    start: int
    stop: int | None
    seed: int
    dirt: PatientFlowDirt = DEFAULT_DIRT
    older_share: float = 0.1
    overlap_share: float = 0.01
    hospitals: int = 5
    uniform: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.rate <= 0 or self.hospitals < 1:
            raise ValueError("the rate must be above 0, and there must be a hospital")
        if not (0 <= self.older_share <= 1 and 0 <= self.overlap_share <= 1):
            raise ValueError("a share lies between 0 and 1")
        if self.stop is not None and self.stop <= self.start:
            raise ValueError("the duration must be above 0")

    area = "patient_flow"

    @property
    def feeds(self) -> dict[str, str]:
        """Name the feed, and the query that writes its messages."""
        return {FEED: MESSAGES}

    def macros(self) -> dict[str, str]:
        """Name the codes and the words of that query."""
        return {
            **{f"{kind}()": str(code) for kind, code in CODES.items()},
            **message_macros(self.seed),
            "department_name(code)": f"({NAMES})[code::integer + 1]",
            "gender_name(is_female)": "if(is_female, 'Female', 'Male')",
        }

    def steps(self) -> Iterator[Step]:
        """Tell the events in order of delivery, step by step."""
        hospital = _Hospitals(self)
        waiting = Waiting(self.start, self.stop)
        for start, stop in edges(hospital.opened, self.stop, hospital.step_minutes):
            waiting.add(_soil(self, _events(self, hospital.admit(start, stop))))
            if stop > self.start:
                yield Step(stop, {FEED: waiting.due(stop)})


class _Hospitals:
    """Who is where: the arrivals, the beds, and the queue in which beds become free."""

    def __init__(self, flow: PatientFlow) -> None:
        self._flow = flow
        self._departments = ALIKE if flow.uniform else DEPARTMENTS
        rates = weekly_rates(self._departments)
        self._factors = stay_factors(flow.uniform)
        steady = 3600 * flow.rate / _messages_per_stay(flow, self._departments)
        warm_up = min(LONGEST_STAY, int(WARM_UP_STAYS / steady * HOUR))
        self.opened = (flow.start - warm_up) // MINUTE * MINUTE
        # The beds of a fast stream fill while it runs: its rate is right on average at first.
        measured = flow.start + DAY if warm_up < LONGEST_STAY else None
        measured = flow.stop or measured
        if measured is not None and measured - flow.start < 2 * LONGEST_STAY:
            wanted = flow.rate * (measured - flow.start) / SECOND
            steady = wanted / self._messages_told(rates, measured)
        self.step_minutes = step_minutes(steady)
        self._arrivals = Arrivals(steady * rates.sum(1), flow.seed)
        self._mix = np.cumsum(rates, axis=1) / rates.sum(1, keepdims=True)
        sizes = 1 / (2 + np.arange(flow.hospitals))
        self._sizes = sizes / sizes.sum()
        # In so many arrivals everybody has left who was there at the beginning.
        self._absence = 1 + int(steady / HOUR * LONGEST_STAY * 1.1)
        mean_stay = np.array([d.stay_hours * exp(d.spread**2 / 2) for d in self._departments])
        occupied = steady * (rates * self._factors).mean(0) * mean_stay
        planned = np.outer(self._sizes, occupied).ravel() / PLANNED_LOAD
        self._capacity = np.maximum(2, planned)
        # Every bed with the moment from which it is free, in that order.
        self._beds = {name: np.empty(0, np.int64) for name in ("group", "free_from", "bed")}
        self._n_beds = np.zeros(flow.hospitals * len(NAMES), np.int64)

    def _messages_told(self, rates: np.ndarray, stop: int) -> float:
        """Expect messages between start and stop if one patient arrived an hour on average."""
        from scipy.special import ndtr

        start = self._flow.start
        # The middles of short spans of time, before and in the recording.
        before, during = (
            begin + (np.arange(2000) + 0.5) * (end - begin) / 2000
            for begin, end in ((self.opened, start), (start, stop))
        )
        time = np.concatenate([before, during])
        spans = np.repeat([(start - self.opened) / 2000, (stop - start) / 2000], 2000)
        week = hour_of_week(time.astype(np.int64))
        arrived = rates[week] * spans[:, None] / HOUR
        medians = np.array([d.stay_hours for d in self._departments]) * self._factors[week]
        spread = np.array([d.spread for d in self._departments])

        def shorter(hours: np.ndarray) -> np.ndarray:
            """Tell the part of stays that are shorter."""
            return ndtr(np.log(np.maximum(hours, 1e-6) / medians) / spread)

        until_start, until_stop = ((moment - time)[:, None] / HOUR for moment in (start, stop))
        admitted = arrived * (time >= start)[:, None]
        discharged = arrived * (shorter(until_stop) - shorter(until_start))
        # A move comes about half way, in long stays.
        half_way = [
            np.maximum(shorter(2 * until) - shorter(np.array(MOVE_HOURS)), 0)
            for until in (until_start, until_stop)
        ]
        moved = MOVE_SHARE * arrived * (half_way[1] - half_way[0])
        return float((admitted + discharged + moved).sum() * (1 + copy_share(self._flow.dirt)))

    def admit(self, start: int, stop: int) -> Block:
        """Give the stays that begin between two moments, one row each, in order of time."""
        flow, seed = self._flow, self._flow.seed
        stay, admission = self._arrivals.between(start, stop)
        week = hour_of_week(admission)
        which = uniform(seed, "department", stay)
        department = (which[:, None] >= self._mix[week, :-1]).sum(1)
        where = uniform(seed, "hospital", stay)
        hospital = np.searchsorted(np.cumsum(self._sizes)[:-1], where, side="right")
        median = np.array([d.stay_hours for d in self._departments])[department]
        spread = np.array([d.spread for d in self._departments])[department]
        hours = median * self._factors[week, department]
        hours = hours * np.exp(spread * normal(seed, "stay", stay))
        length = np.clip((hours * HOUR).astype(np.int64), 15 * MINUTE, LONGEST_STAY)
        moves, whether, age, odd = lanes(draw(seed, "course", stay))
        has_moved = (length >= MOVE_HOURS * HOUR) & (moves < MOVE_SHARE * 65536)
        stays = {
            "stay": stay,
            "hospital": hospital,
            "department": department,
            "admission": admission,
            "discharge": admission + length,
            "moved": np.where(has_moved, admission + length * (30 + whether % 41) // 100, 0),
            "is_older": uniform(seed, "producer", stay) < flow.older_share,
        }
        stays |= self._patients(stay, department, age)
        stays |= self._lay_down(stays, odd < flow.overlap_share * 65536)
        stays["wait"] = self._wait(stays, week)
        return stays

    def _patients(self, stay: np.ndarray, department: np.ndarray, luck: np.ndarray) -> Block:
        """Say who comes: somebody new, or who came before."""
        # A patient is known by a first arrival, which one arrival of the second block after it can
        # come back to, one of the fourth and one of the sixth: so nobody is in two beds at once.
        place = stay % self._absence
        first_place = (place * SHUFFLE + 12345) % self._absence
        blocks = 2 + 2 * (luck * 3 >> 16)
        first_stay = stay - place - blocks * self._absence + first_place
        is_back = uniform(self._flow.seed, "return", stay) < RETURN_SHARE
        group = VISITORS[department]
        person = np.where(is_back, first_stay, stay) * 4 + group
        first, second, gender, _ = lanes(draw(self._flow.seed, "person", person))
        # The higher of two numbers: older people come more often.
        years = YOUNGEST[group] + (np.maximum(first, second) * (OLDEST - YOUNGEST)[group] >> 16)
        return {
            "person": person,
            "age": np.where(
                group == ADULTS,
                years,
                YOUNGEST[group] + (first * (OLDEST - YOUNGEST + 1)[group] >> 16),
            ),
            "is_female": (group == MOTHERS) | (gender < 33_400),
        }

    def _lay_down(self, stays: Block, is_odd: np.ndarray) -> Block:
        """Give each stay the bed that has been free the longest, or one more.

        Who will move has both beds for the whole stay, so that no reading of the events can find
        two patients in one bed where none were planted.
        """
        n_departments = len(NAMES)
        group = stays["hospital"] * n_departments + stays["department"]
        has_moved = stays["moved"] > 0
        rows = np.concatenate([np.arange(len(group)), np.flatnonzero(has_moved)])
        order = np.lexsort((rows, stays["admission"][rows], group[rows]))
        rows = rows[order]
        wanted, since = group[rows], stays["admission"][rows]
        # Beds that have been or will be free, with the row that leaves them.
        beds = {
            "group": np.concatenate([self._beds["group"], wanted]),
            "free_from": np.concatenate([self._beds["free_from"], stays["discharge"][rows]]),
            "bed": np.concatenate([self._beds["bed"], np.full(len(rows), -1)]),
            "left_by": np.concatenate([np.full(len(self._beds["bed"]), -1), np.arange(len(rows))]),
        }
        beds = take(beds, np.lexsort((beds["free_from"], beds["group"])))
        n_groups = len(self._n_beds)
        nth = np.arange(len(rows)) - np.searchsorted(wanted, wanted)
        free = _rank(beds["group"], beds["free_from"], wanted, since)
        in_use = np.bincount(self._beds["group"], minlength=n_groups)[wanted] + nth - free
        n_new = np.zeros(n_groups, np.int64)
        np.maximum.at(n_new, wanted, nth + 1 - free)
        new_group = np.repeat(np.arange(n_groups), n_new)
        new_nth = np.arange(len(new_group)) - np.searchsorted(new_group, new_group)
        new = {
            "group": new_group,
            "free_from": np.zeros(len(new_group), np.int64),
            "bed": self._n_beds[new_group] + new_nth,
            "left_by": np.full(len(new_group), -1),
        }
        self._n_beds += n_new
        beds = join([new, beds])
        beds = take(beds, np.argsort(beds["group"], kind="stable"))
        place = np.searchsorted(beds["group"], wanted) + nth
        bed = beds["bed"][place]
        # A bed left by a row of this step: follow from row to row until the bed is known.
        source = np.where(bed < 0, beds["left_by"][place], np.arange(len(rows)))
        while (bed[source] < 0).any():
            source = source[source]
        bed = bed[source]
        beds["bed"] = np.where(beds["bed"] < 0, bed[beds["left_by"]], beds["bed"])
        is_left = np.ones(len(beds["bed"]), bool)
        is_left[place] = False
        self._beds = {name: beds[name][is_left] for name in self._beds}
        return self._overlaps(stays, rows, bed, is_odd) | {"in_use": _first(rows, in_use)}

    @staticmethod
    def _overlaps(stays: Block, rows: np.ndarray, bed: np.ndarray, is_odd: np.ndarray) -> Block:
        """Put some patients into the bed of who came just before and stays longer."""
        group = stays["hospital"] * len(NAMES) + stays["department"]
        number = bed * len(NAMES) + stays["department"][rows] + 1
        first = _first(rows, number)
        is_second = np.r_[False, rows[1:] == rows[:-1]]
        second = first.copy()
        second[rows[is_second]] = number[is_second]
        order = np.lexsort((stays["admission"], group))
        before = np.r_[order[:1], order[:-1]]
        can = (
            (group[order] == group[before])
            & (order != before)
            & (stays["discharge"][order] < stays["discharge"][before])
            & (stays["moved"][order] == 0)
            & (stays["moved"][before] == 0)
            & is_odd[order]
        )
        can &= ~np.r_[False, can[:-1]]
        planted = np.zeros(len(first), bool)
        planted[order[can]] = True
        first[order[can]] = second[order[can]] = first[before[can]]
        return {"bed": first, "second_bed": second, "is_overlap": planted}

    def _wait(self, stays: Block, week: np.ndarray) -> np.ndarray:
        """Say how many minutes each patient waits: longer when more beds are in use."""
        department = stays["department"]
        typical = np.array([d.wait_minutes for d in self._departments])[department]
        noise = WAIT_SPREAD * normal(self._flow.seed, "wait", stays["stay"])
        if self._flow.uniform:
            return np.rint(typical * np.exp(noise)).astype(np.int64)
        group = stays["hospital"] * len(NAMES) + department
        load = np.minimum(stays["in_use"] / self._capacity[group], 1.6)
        is_stuck = (department == BOTTLENECK) & np.isin(week % 24, BOTTLENECK_HOURS)
        typical = typical * np.where(is_stuck, BOTTLENECK_WAIT, 1)
        typical = typical * np.where(department == SLOW, SLOW_WAIT, 1)
        minutes = typical * np.exp(LOAD_EFFECT * (load - PLANNED_LOAD) + noise)
        return np.rint(minutes).astype(np.int64)


def _first(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give each row the first of its values; every row has one or two, next to each other."""
    first = np.empty(rows.max() + 1 if len(rows) else 0, np.int64)
    first[rows[::-1]] = values[::-1]
    return first


def _rank(group: np.ndarray, time: np.ndarray, wanted: np.ndarray, until: np.ndarray) -> np.ndarray:
    """Count the moments of the wanted group up to a time; `group` and `time` are in order."""
    key = group << 44 | time  # milliseconds need 41 bits until the year 2039, 44 until 2527
    return np.searchsorted(key, wanted << 44 | until, side="right") - np.searchsorted(group, wanted)


def _moves(departments: list[Department]) -> np.ndarray:
    """Expect moves a stay, by department."""
    from scipy.special import ndtr

    shortness = [np.log(MOVE_HOURS / d.stay_hours) / d.spread for d in departments]
    return MOVE_SHARE * ndtr(-np.array(shortness))


def _messages_per_stay(flow: PatientFlow, departments: list[Department]) -> float:
    """Expect messages a stay, in the long run."""
    shares = np.array([department.share for department in departments])
    return (2 + shares @ _moves(departments)) * (1 + copy_share(flow.dirt))


def _events(flow: PatientFlow, stays: Block) -> Block:
    """Tell each stay: an admission, a move where there is one, a discharge."""
    n = len(stays["stay"])
    moved = np.flatnonzero(stays["moved"])
    row = np.concatenate([np.arange(n), moved, np.arange(n)])
    part = np.repeat([ADMITTED, MOVED, DISCHARGED], [n, len(moved), n])
    stay = take(stays, row)
    event = stay["stay"] * 3 + part
    happened = np.choose(part, [stay["admission"], stay["moved"], stay["discharge"]])
    # Somebody has to type it.
    delay = SECOND + (uniform(flow.seed, "typing", event) * 59 * SECOND).astype(np.int64)
    event_time = happened + delay
    return {
        "event": event,
        "event_time": event_time,
        "delivery": event_time,
        "told": event_time,
        "person": stay["person"],
        "is_female": stay["is_female"],
        "age": stay["age"],
        "department": stay["department"],
        "admission": stay["admission"],
        "discharge": np.where(part == DISCHARGED, stay["discharge"], 0),
        "bed": np.where(part == ADMITTED, stay["bed"], stay["second_bed"]),
        "hospital": stay["hospital"] + 1,
        "wait": stay["wait"],
        "is_older": stay["is_older"],
        "pick": (draw(flow.seed, "variety", event) >> np.uint64(40)).astype(np.int64),
    }


def _soil(flow: PatientFlow, events: Block) -> Block:
    """Deal the dirt that is not only a matter of spelling, and send twice what is sent twice."""
    part, is_newer = events["event"] % 3, ~events["is_older"]
    eligible = {
        "discharge_before_admission": part == DISCHARGED,
        "admission_in_future": is_newer & (part == ADMITTED),
        **{kind: is_newer for kind in KINDS if kind.startswith("conflicting")},
    }
    kind = deal_dirt(flow.dirt, FEED, flow.seed, events["event"], eligible)
    some = events["pick"]
    events = events | {"kind": kind, "is_copy": np.zeros(len(kind), bool)}
    is_late = kind == CODES["out_of_order"]
    events["delivery"] = events["delivery"] + is_late * (10 * MINUTE + some % (6 * HOUR))
    is_early = kind == CODES["admission_in_future"]
    events["admission"] = events["admission"] + is_early * (HOUR + some % (2 * DAY))
    is_reversed = kind == CODES["discharge_before_admission"]
    events["discharge"] = np.where(
        is_reversed, events["admission"] - HOUR - some % (4 * DAY), events["discharge"]
    )
    age = np.where(some % 4 == 0, -1 - some % 9, 101 + some % 50)
    events["age"] = np.where(kind == CODES["age_outside"], age, events["age"])

    copies = take(events, np.isin(kind, copies_of(PatientFlowDirt)))
    kind, some = copies["kind"], copies["pick"]
    pause = SECOND + some % (10 * MINUTE)
    is_conflict = np.isin(kind, [CODES[name] for name in KINDS if name.startswith("conflicting")])
    shift = np.select(
        [kind == CODES["conflicting_newer"], kind == CODES["conflicting_older"]], [pause, -SECOND]
    )
    copies |= {
        "is_copy": np.ones(len(kind), bool),
        "delivery": copies["delivery"] + pause,
        "event_time": copies["event_time"] + shift,
        "wait": copies["wait"] + 7 * is_conflict,
    }
    return join([events, copies])
