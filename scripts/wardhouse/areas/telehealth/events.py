"""Appointments of a telehealth platform, as events while they happen and as the log that ends them.

An appointment is scheduled, perhaps moved, perhaps called off; then both log in, the session
starts, may have technical trouble, and ends. The minutes between the patient's login and the start
are the wait that the log has, those between start and end the duration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from wardhouse.areas.telehealth.dirt import EVENTS, AppointmentEventDirt
from wardhouse.areas.telehealth.lines import APPOINTMENT_MESSAGES, EVENT_MESSAGES
from wardhouse.areas.telehealth.population import (
    CANCELLED,
    COMPLETED,
    NO_SHOW,
    RESCHEDULED,
    SLOTS,
    WEEKDAYS,
    book,
    describe_patients,
    describe_providers,
    visits,
)
from wardhouse.synthetic.dirt import codes_of, kinds_of
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
    join,
    message_macros,
    step_minutes,
    take,
    uniform,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wardhouse.synthetic.timeline import Block

APPOINTMENTS = "appointment_logs"
EVENT_TYPES = [
    "appointment_scheduled",
    "appointment_rescheduled",
    "appointment_cancelled",
    "patient_login",
    "provider_login",
    "session_started",
    "technical_issue",
    "session_ended",
]
BOOKED, MOVED, CALLED_OFF, PATIENT, PROVIDER, STARTED, TROUBLE, ENDED = range(8)
REASONS = ["Feels better", "Work", "Family", "Travel", "Provider ill"]
MOVED_SHARE = 0.06  # of the sessions held, moved once before
OPENING = 8 * HOUR
QUARTER = 15 * MINUTE
SHORTEST_LEAD, LONGEST_LEAD = HOUR, 21 * DAY
LONGEST_VISIT = 4 * HOUR  # from the time booked to the last message
AHEAD_APPOINTMENTS = 150_000  # a fast stream books less far ahead, and starts sooner
PATIENT_DAYS = 90  # a patient comes about as often
MOST_PATIENTS = 200_000
PROVIDER_APPOINTMENTS = 15  # a day
KINDS = kinds_of(AppointmentEventDirt)
CODES = codes_of(KINDS)
DEFAULT_DIRT = AppointmentEventDirt()


@dataclass(frozen=True)
class Telehealth:
    """A stream of appointment events, and of appointments as they are logged in the end.

    Attributes
    ----------
    rate : float
        Mean messages a second of simulated time, over a whole week.
    start : int
        When the recording begins, milliseconds since 1970 in UTC.
    stop : int or None
        When it ends; never when it is None.
    seed : int
    dirt : AppointmentEventDirt
        Dirt of the events; the log is clean.
    older_share : float
        Part of the appointments sent by producers that send no event_id.

    Raises
    ------
    ValueError
        If a number makes no sense.
    """

    rate: float
    start: int
    stop: int | None
    seed: int
    dirt: AppointmentEventDirt = DEFAULT_DIRT
    older_share: float = 0.1

    area = "telehealth"

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.rate <= 0:
            raise ValueError("the rate must be above 0")
        if not 0 <= self.older_share <= 1:
            raise ValueError("a share lies between 0 and 1")
        if self.stop is not None and self.stop <= self.start:
            raise ValueError("the duration must be above 0")

    @property
    def feeds(self) -> dict[str, str]:
        """Name the feeds, each with the query that writes its messages."""
        return {EVENTS: EVENT_MESSAGES, APPOINTMENTS: APPOINTMENT_MESSAGES}

    def macros(self) -> dict[str, str]:
        """Name the codes and the words of these queries."""
        n_providers, n_patients = _sizes(self)
        return event_macros(self.seed, 10**8, n_providers, n_patients)

    def steps(self) -> Iterator[Step]:
        """Tell events and appointments in order of delivery, step by step."""
        a_day = self.rate * DAY / SECOND / _messages_per_appointment(self)
        lead = int(min(LONGEST_LEAD, max(2 * HOUR, AHEAD_APPOINTMENTS / a_day * DAY)))
        n_providers, n_patients = _sizes(self)
        providers = describe_providers(n_providers, self.seed)
        patients = describe_patients(n_patients, self.seed)
        arrivals = Arrivals(weekly_slots(a_day), self.seed)
        events, log = (Waiting(self.start, self.stop) for _ in range(2))
        opened = (self.start - LONGEST_VISIT) // MINUTE * MINUTE
        last = None if self.stop is None else self.stop + lead
        frontier = self.start
        for begin, end in edges(opened, last, step_minutes(a_day / 24)):
            row, time = arrivals.between(begin, end)
            visit = _held(row, time, providers, patients, self.seed)
            told = timeline(visit, self.seed, lead)
            told["is_older"] = is_older(told["appointment"], self.seed, self.older_share)
            events.add(soil_events(told, self.dirt, self.seed))
            log.add(_logged(visit))
            if end - lead > self.start:
                for until in _midnights(frontier, end - lead):
                    yield Step(until, {EVENTS: events.due(until), APPOINTMENTS: log.due(until)})
                frontier = end - lead


def _midnights(start: int, stop: int) -> Iterator[int]:
    """Give the ends of the days between two moments, and the later moment."""
    yield from range(start - start % DAY + DAY, stop, DAY)
    yield stop


def event_macros(
    seed: int, n_appointments: int, n_providers: int, n_patients: int
) -> dict[str, str]:
    """Name the codes, ids and words of the messages' queries."""
    from wardhouse.areas.telehealth.lines import word_macros

    return (
        {f"{kind}()": str(code) for kind, code in CODES.items()}
        | word_macros(n_appointments, n_providers, n_patients)
        | message_macros(seed)
        | {
            "event_type_name(code)": f"({EVENT_TYPES})[code::integer + 1]",
            "reason_name(code)": f"({REASONS})[code::integer + 1]",
            "quoted(name, value)": """'"' || name || '":"' || value || '"'""",
        }
    )


def weekly_slots(a_day: float) -> np.ndarray:
    """Spread so many appointments a day on average over the open hours of the week: (168,)."""
    hours = np.zeros(24)
    hours[OPENING // HOUR : OPENING // HOUR + SLOTS // 4] = 4 / SLOTS
    return np.outer(WEEKDAYS / WEEKDAYS.mean(), hours).ravel() * a_day


def _sizes(stream: Telehealth) -> tuple[int, int]:
    """Tell how many providers and patients a platform of this rate has."""
    a_day = stream.rate * DAY / SECOND / 5
    return (
        max(8, round(a_day / PROVIDER_APPOINTMENTS)),
        int(min(MOST_PATIENTS, max(50, a_day * PATIENT_DAYS))),
    )


def is_older(appointment: np.ndarray, seed: int, share: float) -> np.ndarray:
    """Tell which appointments are sent by producers that send no event_id."""
    return uniform(seed, "producer", appointment) < share


def _messages_per_appointment(stream: Telehealth) -> float:
    """Count the messages of some appointments, of this seed or any."""
    row = np.arange(20_000)
    providers, patients = describe_providers(100, 0), describe_patients(1000, 0)
    visit = _held(row, row * QUARTER, providers, patients, 0)
    n_events = len(timeline(visit, 0, LONGEST_LEAD)["event"])
    return n_events / len(row) * (1 + copy_share(stream.dirt)) + 1


def _held(row: np.ndarray, time: np.ndarray, providers: Block, patients: Block, seed: int) -> Block:
    """Say who booked the appointments at these times, and what became of them."""
    slot_time = time - time % QUARTER
    slot = (slot_time % DAY - OPENING) // QUARTER
    who = uniform(seed, "who", row) * len(patients["age"])
    booked = book(row, who.astype(np.int64), slot, providers, patients, seed)
    went = visits(row, booked, providers, patients, seed)
    return booked | went | {"appointment": row, "slot_time": slot_time}


def timeline(visit: Block, seed: int, longest_lead: int) -> Block:
    """Tell what happens to appointments, one row for each event, in no order.

    Parameters
    ----------
    visit : Block
        Appointments as `Platform` has them, with `appointment` (row numbers) and `slot_time`
        (milliseconds since 1970).
    seed : int
    longest_lead : int
        How long before its time an appointment can be booked, milliseconds.

    Returns
    -------
    Block
        `event` is 8 times the appointment plus the type; `scheduled` is the time booked then.
    """
    row, slot, status = visit["appointment"], visit["slot_time"], visit["status"]
    lead = uniform(seed, "lead", row) ** 2
    lead = (SHORTEST_LEAD + lead * (longest_lead - SHORTEST_LEAD)).astype(np.int64)
    part, late, early, other = lanes(draw(seed, "timeline", row))
    was_held, wait = status == COMPLETED, visit["wait"] * MINUTE
    was_moved = was_held & (uniform(seed, "moved", row) < MOVED_SHARE)
    # Who waits already calls off when the patience has ended; others before anybody logs in.
    changed = np.where(
        (visit["wait"] >= 0) & ~was_held, slot + wait, slot - lead * (40 + part % 50) // 100
    )
    days = DAY * (1 + other % 3)
    start = slot + (late * 5 * MINUTE >> 16)
    login = np.where(was_held, start - wait, slot)
    end = start + visit["duration"] * MINUTE
    come = start - (early * 4 * MINUTE >> 16) - SECOND
    trouble = start + (visit["duration"] * MINUTE * (10 + part % 80) // 100)
    happened = [
        (BOOKED, np.ones(len(row), bool), slot - lead),
        (MOVED, was_moved | (status == RESCHEDULED), changed),
        (CALLED_OFF, status == CANCELLED, changed),
        (PATIENT, was_held | ((visit["wait"] >= 0) & (status != NO_SHOW)), login),
        (PROVIDER, was_held | ((status == NO_SHOW) & (other % 5 > 0)), come),
        (STARTED, was_held, start),
        (TROUBLE, was_held & (visit["issue"] > 0), trouble),
        (ENDED, was_held, end),
    ]
    first = np.where(was_moved, slot + days, slot)
    later = np.where(status == RESCHEDULED, slot + days, slot)
    blocks = []
    for code, which, time in happened:
        told = np.flatnonzero(which)
        event = row[told] * 8 + code
        blocks.append(
            {
                "event": event,
                "appointment": row[told],
                "type": np.full(len(told), code),
                "event_time": time[told],
                "delivery": time[told],
                "told": time[told],
                "scheduled": (first if code == BOOKED else later)[told],
                "reason": early[told] % len(REASONS),
                "pick": (draw(seed, "variety", event) >> np.uint64(40)).astype(np.int64),
            }
            | {
                name: visit[name][told]
                for name in ("patient", "provider", "type_code", "device", "issue", "duration")
            }
        )
    return join(blocks)


def soil_events(events: Block, dirt: AppointmentEventDirt, seed: int) -> Block:
    """Deal the dirt that is not only a matter of spelling, and send twice what is sent twice."""
    is_newer = ~events["is_older"]
    eligible = {kind: is_newer for kind in KINDS if kind.startswith("conflicting")}
    kind = deal_dirt(dirt, EVENTS, seed, events["event"], eligible)
    is_late = kind == CODES["out_of_order"]
    events = events | {
        "kind": kind,
        "is_copy": np.zeros(len(kind), bool),
        "delivery": events["delivery"] + is_late * (MINUTE + events["pick"] % (2 * HOUR)),
    }
    copies = take(events, np.isin(kind, copies_of(AppointmentEventDirt)))
    kind, pause = copies["kind"], SECOND + copies["pick"] % (10 * MINUTE)
    shift = np.select(
        [kind == CODES["conflicting_newer"], kind == CODES["conflicting_older"]], [pause, -SECOND]
    )
    copies |= {
        "is_copy": np.ones(len(kind), bool),
        "delivery": copies["delivery"] + pause,
        "event_time": copies["event_time"] + shift,
    }
    return join([events, copies])


def _logged(visit: Block) -> Block:
    """Log each appointment when it is over."""
    delivery = visit["slot_time"] + (np.maximum(visit["duration"], 0) + 25) * MINUTE
    return visit | {
        "event": visit["appointment"],
        "delivery": delivery,
        "told": delivery,
        "is_copy": np.zeros(len(delivery), bool),
    }
