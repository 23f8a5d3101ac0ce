"""A deterministic, believable, dirty sample of the telehealth feeds, with the truth beside it.

The events say what happened to the same appointments, a file a month.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wardhouse.areas.telehealth.dirt import (
    APPOINTMENTS,
    CODES,
    EVENTS,
    FEEDBACK,
    FEEDS,
    KINDS,
    PATIENTS,
    PROVIDERS,
    AppointmentEventDirt,
    TelehealthDirt,
)
from wardhouse.areas.telehealth.events import DEFAULT_DIRT as DEFAULT_EVENT_DIRT
from wardhouse.areas.telehealth.events import (
    LONGEST_LEAD,
    OPENING,
    QUARTER,
    event_macros,
    is_older,
    soil_events,
    timeline,
)
from wardhouse.areas.telehealth.lines import EVENT_MESSAGES
from wardhouse.synthetic.dirt import soil, with_shares
from wardhouse.synthetic.seeds import DEFAULT_SEED
from wardhouse.synthetic.truth import TRUTH_ROWS, SampleSummary, write_expected, write_rows
from wardhouse.synthetic.writer import cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from wardhouse.areas.telehealth.population import Platform
    from wardhouse.synthetic.dirt import Soiled
    from wardhouse.synthetic.timeline import Told
    from wardhouse.synthetic.writer import Writer

    Block = dict[str, np.ndarray]

DEFAULT_DIRT = TelehealthDirt()
OLDER_SHARE = 0.1  # of the appointments are sent by producers that send no event_id


@dataclass(frozen=True, kw_only=True)
class TelehealthSummary(SampleSummary):
    """What was written, and of how large a platform.

    Attributes
    ----------
    n_appointments, n_patients, n_providers : int
        Size of the platform before dirt.
    """

    n_appointments: int
    n_patients: int
    n_providers: int


def generate_telehealth(
    out_dir: Path,
    appointments: int,
    seed: int = DEFAULT_SEED,
    dirt: TelehealthDirt = DEFAULT_DIRT,
    truth_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    event_dirt: AppointmentEventDirt = DEFAULT_EVENT_DIRT,
) -> TelehealthSummary:
    """Write the telehealth platform's feeds, the events of its appointments, and the truth.

    The same arguments give the same bytes. An earlier sample in the same place is overwritten.

    Parameters
    ----------
    out_dir : pathlib.Path
        Raw directory; the feeds go to its folder `telehealth`.
    appointments : int
        Appointments of the platform; what is sent twice comes on top.
    seed : int
    dirt : TelehealthDirt
        Shares of dirt; `TelehealthDirt().scaled(0)` gives clean data.
    truth_dir : pathlib.Path, optional
        The truth goes to its folder `telehealth`; `out_dir / "truth"` by default.
    progress : callable, optional
        Called with the records written so far and the records there will be, without events.
    event_dirt : AppointmentEventDirt
        Shares of dirt among the events.

    Returns
    -------
    TelehealthSummary

    Raises
    ------
    ValueError
        If appointments are below 1, or the dirt wants more records than there are.
    """
    if appointments < 1:
        raise ValueError("appointments must be at least 1")
    from wardhouse.areas.telehealth.lines import telehealth_macros
    from wardhouse.areas.telehealth.population import COMPLETED, NO_SHOW, populate
    from wardhouse.synthetic.seeds import draw
    from wardhouse.synthetic.writer import open_writer

    platform = populate(appointments, seed)
    was_held, was_missed = platform.status == COMPLETED, platform.status == NO_SHOW
    eligible = {
        **dict.fromkeys(
            ("wait_negative", "completed_without_wait", "completed_without_duration"), was_held
        ),
        **dict.fromkeys(("duration_negative", "told_again", "told_late"), was_held),
        **dict.fromkeys(("wait_nan", "wait_unreadable"), was_missed),
    }
    soiled = {
        APPOINTMENTS: soil(
            APPOINTMENTS, dirt, draw(seed, "dirt of appointments", appointments), eligible
        ),
        FEEDBACK: soil(FEEDBACK, dirt, draw(seed, "dirt of feedback", platform.answered)),
        PROVIDERS: soil(PROVIDERS, dirt, draw(seed, "dirt of providers", len(platform.specialty))),
        PATIENTS: soil(PATIENTS, dirt, draw(seed, "dirt of patients", len(platform.age))),
    }
    raw_dir = Path(out_dir) / "telehealth"
    truth_dir = Path(truth_dir or Path(out_dir) / "truth") / "telehealth"
    raw_dir.mkdir(parents=True, exist_ok=True)
    truth_dir.mkdir(parents=True, exist_ok=True)
    with open_writer(telehealth_macros(platform)) as writer:
        _write_feeds(writer, raw_dir, platform, soiled, progress)
        _write_accepted(writer, truth_dir, platform, soiled[APPOINTMENTS])
    _write_planted(truth_dir, platform)
    told = _write_events(raw_dir, platform, seed, event_dirt)
    return TelehealthSummary(
        n_appointments=appointments,
        n_patients=len(platform.age),
        n_providers=len(platform.specialty),
        feeds=write_expected(truth_dir, soiled | {EVENTS: told}),
        dirt={kind: n for feed in FEEDS for kind, n in soiled[feed].counts.items()},
        raw_dir=raw_dir,
        truth_dir=truth_dir,
    )


def _write_feeds(
    writer: Writer,
    raw_dir: Path,
    platform: Platform,
    soiled: dict[str, Soiled],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write the four feeds, block by block."""
    from wardhouse.areas.telehealth import lines as lines

    total = sum(len(feed.row) for feed in soiled.values())
    n_written = 0

    def told(blocks: Iterable[Block]) -> Iterator[Block]:
        nonlocal n_written
        for block in blocks:
            yield block
            n_written += len(block["kind"])
            if progress:
                progress(n_written, total)

    for feed, make, query, head in (
        (APPOINTMENTS, _appointments, lines.APPOINTMENT_LINES, lines.APPOINTMENT_HEADER),
        (FEEDBACK, _feedback, lines.FEEDBACK_LINES, lines.FEEDBACK_HEADER),
        (PROVIDERS, _providers, lines.PROVIDER_LINES, lines.PROVIDER_HEADER),
        (PATIENTS, _patients, lines.PATIENT_LINES, lines.PATIENT_HEADER),
    ):
        records = soiled[feed]
        blocks = (make(platform, records, cut) for cut in cuts(0, len(records.row)))
        writer.write(raw_dir / f"{feed}.csv", query, told(blocks), head=head)


def _write_events(raw_dir: Path, platform: Platform, seed: int, dirt: AppointmentEventDirt) -> Told:
    """Write what happened to the appointments, and count it by kind of dirt."""
    import numpy as np
    from wardhouse.areas.telehealth.population import FIRST_DAY
    from wardhouse.synthetic.timeline import DAY, Told, Waiting, as_sent, take
    from wardhouse.synthetic.writer import open_writer

    folder = raw_dir / EVENTS
    folder.mkdir(exist_ok=True)
    for earlier in folder.glob("*.ndjson"):
        earlier.unlink()
    first = int(FIRST_DAY.astype("datetime64[ms]").astype(np.int64))
    visit = vars(platform) | {
        "appointment": np.arange(len(platform.patient)),
        "slot_time": first + platform.day * DAY + OPENING + platform.slot * QUARTER,
    }
    events = timeline(visit, seed, LONGEST_LEAD)
    events["is_older"] = is_older(events["appointment"], seed, OLDER_SHARE)
    waiting = Waiting(0, None)
    waiting.add(soil_events(events, dirt, seed))
    events = waiting.due(np.iinfo(np.int64).max)
    told = Told(AppointmentEventDirt)
    told.add(events)
    sizes = len(platform.patient) + 1, len(platform.specialty) + 1, len(platform.age) + 1
    month = events["delivery"].astype("datetime64[ms]").astype("datetime64[M]")
    with open_writer(event_macros(seed, *sizes)) as writer:
        for one in np.unique(month):
            block = take(events, month == one)
            lines = writer.lines(f"select line from ({EVENT_MESSAGES})", block)  # noqa: S608
            (folder / f"{one}.ndjson").write_bytes(as_sent(lines))
    return told


def _appointments(platform: Platform, soiled: Soiled, cut: slice) -> Block:
    """Give records of the appointments feed as columns, one array of the block's length each."""
    import numpy as np
    from wardhouse.areas.telehealth.population import BROWSERS, RESCHEDULED

    row, kind, is_copy = soiled.row[cut], soiled.kind[cut], soiled.is_copy[cut]
    # What is re-sent was first sent as moved; what is sent late is the former state.
    is_former = ((kind == CODES["told_again"]) & ~is_copy) | (
        (kind == CODES["told_late"]) & is_copy
    )
    is_conflict = (kind == CODES["conflicting"]) & is_copy
    is_rejected = np.isin(kind, [CODES[k] for k in KINDS if "rejected" in KINDS[k]["outcomes"]])
    day, slot, minutes = platform.day[row], platform.slot[row], platform.duration[row]
    logged = 1440 * day + 480 + 15 * slot + np.maximum(minutes, 0) + 25
    return {
        "appointment": row,
        "provider": np.where(
            kind == CODES["provider_undescribed"], len(platform.specialty), platform.provider[row]
        ),
        "patient": np.where(
            kind == CODES["patient_undescribed"], len(platform.age), platform.patient[row]
        ),
        "day": day,
        "slot": slot,
        "type_code": platform.type_code[row],
        "status": np.where(is_former, RESCHEDULED, platform.status[row]),
        "wait": np.where(is_former, -1, platform.wait[row]),
        "duration": np.where(is_former, -1, minutes),
        "device": platform.device[row],
        "system": platform.system[row],
        "browser": (platform.browser[row] + is_conflict) % len(BROWSERS),
        "quality": platform.quality[row],
        "issue": platform.issue[row],
        "logged": logged - 600 * is_former,
        "risk": platform.risk[row],
        "expected": platform.expected[row],
        "kind": kind,
        "is_accepted": ~is_former & ~is_rejected & ~(is_copy & (kind != CODES["told_again"])),
    }


def _feedback(platform: Platform, soiled: Soiled, cut: slice) -> Block:
    """Give records of the feedback feed as columns, one array of the block's length each."""
    row, kind, is_copy = soiled.row[cut], soiled.kind[cut], soiled.is_copy[cut]
    visit = platform.answered[row]
    is_former = (kind == CODES["feedback_told_again"]) & ~is_copy
    is_conflict = (kind == CODES["feedback_conflicting"]) & is_copy
    doctor, ease, sound, picture, overall = platform.ratings[:, row]
    unknown = kind == CODES["feedback_appointment_unknown"]
    return {
        "answer": row,
        "appointment": visit * ~unknown + len(platform.patient) * unknown,
        "patient": platform.patient[visit],
        "provider": platform.provider[visit],
        "day": platform.day[visit] + platform.delay[row],
        "doctor": doctor,
        "ease": ease,
        "sound": sound,
        "picture": picture,
        # Who answers again has changed the mind, who answers two things at once has two.
        "overall": (overall + is_former + is_conflict - 1) % 5 + 1,
        "is_recommended": platform.is_recommended[row],
        "comment": platform.comment[row],
        "logged": 1200 - 60 * is_former,
        "kind": kind,
    }


def _providers(platform: Platform, soiled: Soiled, cut: slice) -> Block:
    """Give records of the providers feed as columns, one array of the block's length each."""
    row, kind, is_copy = soiled.row[cut], soiled.kind[cut], soiled.is_copy[cut]
    is_former = (kind == CODES["provider_changed"]) & ~is_copy
    return {
        "provider": row,
        "specialty": platform.specialty[row],
        "experience": platform.experience[row],
        "licence": platform.licence[row],
        "rate_cents": platform.rate_cents[row] - 500 * is_former,
        "hours": platform.hours[row],
        "is_active": platform.is_active[row],
        "kind": kind,
    }


def _patients(platform: Platform, soiled: Soiled, cut: slice) -> Block:
    """Give records of the patients feed as columns, one array of the block's length each."""
    row, kind, is_copy = soiled.row[cut], soiled.kind[cut], soiled.is_copy[cut]
    is_former = (kind == CODES["patient_changed"]) & ~is_copy
    return {
        "patient": row,
        "age": platform.age[row] - is_former,
        "gender": platform.gender[row],
        "is_insured": platform.is_insured[row],
        "registered": platform.registered[row],
        "kind": kind,
    }


def _write_accepted(writer: Writer, truth_dir: Path, platform: Platform, feed: Soiled) -> None:
    """Write the appointments that must be accepted, as they must read; not for large samples."""
    from wardhouse.areas.telehealth.lines import ACCEPTED_APPOINTMENTS, ACCEPTED_HEADER

    path = truth_dir / "accepted_appointments.csv"
    path.unlink(missing_ok=True)
    if len(platform.patient) <= TRUTH_ROWS:
        blocks = (_appointments(platform, feed, cut) for cut in cuts(0, len(feed.row)))
        writer.write(path, ACCEPTED_APPOINTMENTS, blocks, head=ACCEPTED_HEADER)


def _write_planted(truth_dir: Path, platform: Platform) -> None:
    """Write what we planted, and the patients who miss more appointments than others."""
    import numpy as np
    from wardhouse.areas.telehealth.population import (
        BELOVED,
        DEVICES,
        FAST,
        FAULTY,
        SLOW,
        SPECIALTIES,
    )

    rows = [
        ("device_with_more_technical_issues", DEVICES[FAULTY]),
        ("device_with_shorter_waits", DEVICES[FAST]),
        ("specialty_with_higher_satisfaction", SPECIALTIES[BELOVED]),
        ("specialty_with_longer_visits", SPECIALTIES[SLOW]),
        ("age_group_with_more_no_shows", "18-34"),
        ("insurance_with_more_no_shows", "Uninsured"),
    ]
    write_rows(truth_dir / "planted.csv", ["plant", "what"], rows)
    digits = max(6, len(str(len(platform.age) + 1)))
    patients = [(f"PAT{row + 1:0{digits}}",) for row in np.flatnonzero(platform.is_unreliable)]
    write_rows(truth_dir / "unreliable_patients.csv", ["patient_id"], patients)


def write_sample(
    out_dir: Path,
    appointments: int,
    seed: int,
    factor: float,
    shares: Sequence[str],
    progress: Callable[[int, int], None],
) -> TelehealthSummary:
    """Write a sample with so many times the usual dirt, single shares of it set by `kind=share`."""
    dirt = with_shares(TelehealthDirt().scaled(factor), shares)
    return generate_telehealth(
        out_dir,
        appointments,
        seed,
        dirt,
        progress=progress,
        event_dirt=AppointmentEventDirt().scaled(factor),
    )
