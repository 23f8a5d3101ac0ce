"""Telehealth's appointment events: none lost, and each session's timeline recomputed."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from builds import PROJECT, SAMPLE, shared_data

pytestmark = pytest.mark.long

TYPES = {
    "appointment_scheduled": "Appointment Scheduled",
    "appointment_rescheduled": "appointment-rescheduled",
    "appointment_cancelled": "CANCELED",
    "patient_login": "patient_login",
    "provider_login": "ProviderLogin",
    "session_started": "session_started",
    "technical_issue": "technical_issue",
    "session_ended": "SESSION_ENDED",
}
ORDER = {name: place for place, name in enumerate(TYPES)}
# What the events and their timelines are made of, and what counts their messages.
WAREHOUSE = (
    *("build", "--indirect-selection", "cautious", "--exclude-resource-types", "unit_test"),
    *("--select", "+session_timeline", "+dim_patient", "+dim_provider", "+dim_device"),
    *("+feed_reconciliation", "+quarantine"),
)
FACT = "select * exclude (record_hash) from core.fct_appointment_events order by event_id"
TIMELINE = "from telehealth.session_timeline order by appointment_id"


def stamp(times: pd.Series) -> pd.Series:
    """Write moments as the platform does."""
    return times.dt.strftime("%Y-%m-%dT%H:%M:%S")


def told(appointments: pd.DataFrame, event_type: str, at: pd.Series, **details) -> pd.DataFrame:
    """Make one event of each appointment whose moment is known."""
    frame = pd.DataFrame(details, index=appointments.index)
    return pd.DataFrame(
        {
            "appointment_id": appointments.appointment_id,
            "patient_id": appointments.patient_id if event_type == "patient_login" else None,
            "provider_id": appointments.provider_id if event_type == "provider_login" else None,
            "event_type": event_type,
            "at": at,
            "details": frame.to_dict("records"),
        }
    )[at.notna()]


def simulate(seed: int) -> pd.DataFrame:
    """Return events of appointments that the sample's log knows, and of some that it does not.

    Some are in an order that cannot be, some fall on the same moment, some are never told.
    """
    generator = np.random.default_rng(seed)
    known = pd.read_csv(PROJECT / "tests/truth/telehealth/accepted_appointments.csv").head(400)
    new = pd.DataFrame({"appointment_id": [f"NEW{i}" for i in range(60)]})
    new = new.assign(patient_id="NEWPATIENT", provider_id=[None, "NEWPROVIDER"] * 30)
    appointments = pd.concat([known[[*new.columns]], new], ignore_index=True)
    n = len(appointments)

    def often(share: float) -> np.ndarray:
        return generator.random(n) < share

    def minutes(low: int, high: int) -> pd.Series:
        return pd.Series(pd.to_timedelta(generator.integers(low, high, n), unit="min"))

    booked_at = pd.Timestamp("2025-02-01") + minutes(0, 20_000)
    first = booked_at + minutes(600, 3000)
    moved_at = (booked_at + minutes(60, 3200)).where(often(0.3))
    scheduled = first.where(moved_at.isna(), moved_at + minutes(600, 2000))
    patient = scheduled + minutes(-20, 5)
    provider = scheduled + minutes(-10, 5)
    started = scheduled + minutes(-8, 15)
    ended = started + minutes(-4, 60)
    events = [
        told(
            *(appointments, "appointment_scheduled", booked_at.where(often(0.9))),
            scheduled_time=stamp(first).where(often(0.8)),
        ),
        told(
            *(appointments, "appointment_rescheduled", moved_at),
            old_scheduled_time=stamp(first),
            new_scheduled_time=stamp(scheduled).where(often(0.9)),
            reason="patient request",
        ),
        told(
            *(appointments, "appointment_cancelled", (scheduled - minutes(-5, 900))),
            reason="provider unavailable",
        )[often(0.2)],
        told(appointments, "patient_login", (first - minutes(0, 9)).where(often(0.3))),
        told(
            *(appointments, "patient_login", patient.where(often(0.8))),
            device_type=generator.choice(["iPad", "desktop", "Kiosk"], n),
        ),
        told(appointments, "provider_login", provider.where(often(0.8))),
        told(appointments, "session_started", started.where(often(0.7))),
        told(appointments, "session_started", (started + minutes(1, 9)).where(often(0.1))),
        *(
            told(
                *(appointments, "technical_issue", (started + minutes(0, 30)).where(often(0.2))),
                issue_type=generator.choice(["Audio", "Video"], n),
            )
            for _ in range(2)
        ),
        told(
            *(appointments, "session_ended", ended.where(often(0.7))),
            duration_minutes=generator.integers(1, 60, n),
        ),
    ]
    events = pd.concat(events, ignore_index=True)
    return events.assign(event_id=[f"e{i}" if i % 3 else None for i in range(len(events))])


def messages(events: pd.DataFrame) -> list[str]:
    """Write events as the lines of a stream; what is not known is left out."""
    frame = events.assign(event_type=events.event_type.map(TYPES), timestamp=stamp(events["at"]))
    return [
        json.dumps({key: value for key, value in record.items() if value == value and value})
        for record in frame.drop(columns="at")
        .assign(details=[{k: v for k, v in d.items() if v == v} for d in frame.details])
        .astype(object)
        .to_dict("records")
    ]


@pytest.fixture(scope="module")
def events():
    # Two events without an identifier may by chance say the same: then they are one.
    frame = simulate(7)
    content = frame.drop(columns=["event_id"]).astype(str)
    return frame[~content.duplicated()].reset_index(drop=True)


def refused(n: int) -> list[str]:
    """Return lines that are no events, each kind once in six."""
    good = {
        "appointment_id": "A",
        "event_type": "session_ended",
        "timestamp": "2025-02-01T10:00:00",
    }
    kinds = [
        json.dumps(good | {"appointment_id": " "}),
        json.dumps(good | {"event_type": "patient_teleported"}),
        json.dumps({key: good[key] for key in ("appointment_id", "timestamp")}),
        json.dumps(good | {"timestamp": "yesterday"}),
        json.dumps(good | {"timestamp": None}),
        '{"appointment_id": "A", "event_type',
    ]
    return [kinds[i % 6] for i in range(n)]


@pytest.fixture(scope="module")
def lines(events):
    """Return the lines of the stream in no order, with what is told twice and what is refused."""
    once = messages(events)
    again = [json.dumps(json.loads(line), separators=(", ", " :  ")) for line in once[::17]]
    # The newest of what shares an identifier stands.
    older = events[events.event_id.notna()].iloc[::41]
    older = messages(older.assign(at=older["at"] - pd.Timedelta(days=900)))
    everything = once + again + older + refused(30)
    order = np.random.default_rng(1).permutation(len(everything))
    counts = (len(everything), len(once), 30, len(again) + len(older))
    return [everything[place] for place in order], counts


def raw_directory(place, *files: list[str]):
    """Make a raw directory of the sample's telehealth, with files of events."""
    folder = place / "raw" / "telehealth"
    ours = shutil.ignore_patterns("appointment_events*")
    shutil.copytree(SAMPLE / "telehealth", folder, dirs_exist_ok=True, ignore=ours)
    (folder / "appointment_events").mkdir(exist_ok=True)
    for number, file in enumerate(files):
        path = folder / "appointment_events" / f"{number}.ndjson"
        path.write_text("".join(f"{line}\n" for line in file))
    return place / "raw"


@pytest.fixture(scope="module")
def built(dbt, lines, tmp_path_factory):
    place = tmp_path_factory.mktemp("events")
    raw_dir = raw_directory(place, lines[0][::2], lines[0][1::2])
    outcome = dbt(raw_dir, place, *WAREHOUSE, areas="telehealth")
    assert outcome.success, outcome.message
    return outcome


def test_every_message_is_accepted_refused_or_a_duplicate(built, lines):
    assert built.query(
        "select n_raw, n_accepted, n_rejected, n_duplicates from quality.feed_reconciliation "
        "where feed = 'appointment_events'"
    ) == [lines[1]]
    assert built.query(
        "select reason, count(*) from quality.quarantine where feed = 'appointment_events' "
        "group by all order by all"
    ) == [
        ("missing_appointment_id", 5),
        ("missing_event_type", 5),
        ("missing_timestamp", 5),
        ("unknown_event_type", 5),
        ("unreadable_line", 5),
        ("unreadable_timestamp", 5),
    ]
    assert built.query("select count(*) from core.fct_appointment_events") == [(lines[1][1],)]


def test_events_of_an_appointment_are_in_one_order(built):
    fact = built.frame(FACT)
    fact["place"] = fact.event_type.map(ORDER)
    fact = fact.sort_values(["appointment_id", "occurred_at", "place", "event_id"])
    groups = fact.groupby("appointment_id")
    assert (fact.sequence_number == groups.cumcount() + 1).all()
    minutes = groups.occurred_at.diff().dt.total_seconds() / 60
    assert np.allclose(fact.minutes_since_previous.astype(float), minutes, equal_nan=True)
    assert fact.duplicated(["appointment_id", "occurred_at"]).sum() > 20


def test_people_whom_only_events_name_are_inferred_and_others_come_from_the_log(built, events):
    for who, identifier in (("patient", "NEWPATIENT"), ("provider", "NEWPROVIDER")):
        assert built.query(
            f"select is_inferred from core.dim_{who} where {who}_id = '{identifier}'"
        ) == [(True,)]
        assert built.query(
            f"select count(*) from core.fct_appointment_events left join core.dim_{who} "
            f"using ({who}_key) where {who}_key is not null and dim_{who}.{who}_id is null"
        ) == [(0,)]
        [(n_without,)] = built.query(
            f"select count(*) from core.fct_appointment_events where {who}_key is null"
        )
        in_log = {i for (i,) in built.query("select appointment_id from core.fct_appointments")}
        unknown = events[f"{who}_id"].isna() & ~events.appointment_id.str.upper().isin(in_log)
        assert n_without == unknown.sum() > 0
    assert built.query("select is_inferred from core.dim_device where device_type = 'Kiosk'") == [
        (True,)
    ]


def recomputed(events: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """Compute the timeline of every appointment from the events as they were made."""
    events = events.assign(
        appointment_id=events.appointment_id.str.upper(), place=events.event_type.map(ORDER)
    ).sort_values(["at", "place"], kind="stable")
    moved = events[events.event_type == "appointment_rescheduled"]
    last_move = events.appointment_id.map(moved.groupby("appointment_id")["at"].max())
    is_after = (events["at"] > last_move) | ((events["at"] == last_move) & (events.place > 0))
    current = events[last_move.isna() | is_after]
    details = pd.DataFrame(list(events.details), index=events.index)
    booked = details.new_scheduled_time.where(
        events.event_type == "appointment_rescheduled", details.scheduled_time
    )
    groups = events.groupby("appointment_id")

    def moment(event_type: str, function: str) -> pd.Series:
        chosen = current[current.event_type == event_type]
        return chosen.groupby("appointment_id")["at"].agg(function)

    found = pd.DataFrame(
        {
            "n_events": groups.size(),
            "scheduled_at": pd.to_datetime(booked).groupby(events.appointment_id).last(),
            "patient_logged_in_at": moment("patient_login", "min"),
            "provider_logged_in_at": moment("provider_login", "min"),
            "started_at": moment("session_started", "min"),
            "ended_at": moment("session_ended", "max"),
            "is_cancelled": moment("appointment_cancelled", "max").notna(),
        },
        index=groups.size().index,
    )
    for name, event_type in [
        ("n_reschedules", "appointment_rescheduled"),
        ("n_technical_issues", "technical_issue"),
    ]:
        found[name] = (events.event_type == event_type).groupby(events.appointment_id).sum()
    found["is_cancelled"] = found.is_cancelled.eq(True)
    log = log.set_index("appointment_id").reindex(found.index)
    logged = log.appointment_date + pd.to_timedelta(log.scheduled_minute_of_day, unit="min")
    found["scheduled_at"] = found.scheduled_at.fillna(logged)
    found["outcome"] = np.select(
        [found.ended_at.notna(), found.is_cancelled, found.started_at.notna()],
        ["completed", "cancelled", "not ended"],
        "not started",
    )
    wait = found.started_at - found.patient_logged_in_at
    length = found.ended_at - found.started_at
    for name, span in [
        ("patient_wait_minutes", wait.where(wait >= pd.Timedelta(0))),
        ("lateness_minutes", found.started_at - found.scheduled_at),
        ("session_minutes", length.where(length >= pd.Timedelta(0))),
    ]:
        found[name] = span.dt.total_seconds() / 60
    found["is_start_before_patient_login"] = wait < pd.Timedelta(0)
    found["is_start_before_provider_login"] = found.started_at < found.provider_logged_in_at
    found["is_end_before_start"] = length < pd.Timedelta(0)
    found["is_end_without_start"] = found.ended_at.notna() & found.started_at.isna()
    found["is_session_despite_cancellation"] = found.is_cancelled & (
        found.started_at.notna() | found.ended_at.notna()
    )
    silent = found.outcome == "not started"
    agrees = {
        "Completed": found.outcome == "completed",
        "Cancelled": found.outcome == "cancelled",
        "Rescheduled": silent & (found.n_reschedules > 0),
        "No-show": silent & found.patient_logged_in_at.isna(),
    }
    status = log.appointment_status
    found["is_consistent_with_log"] = np.select(
        [status.isna(), *(status == name for name in agrees)], [None, *agrees.values()], None
    )
    return found


def test_timeline_equals_an_independent_recomputation(built, events):
    log = built.frame(
        "select appointment_id, appointment_date::timestamp as appointment_date, "
        "scheduled_minute_of_day, appointment_status from core.fct_appointments"
    )
    expected = recomputed(events, log)
    found = built.frame(TIMELINE).set_index("appointment_id")
    assert len(found) == len(expected) > 400
    for column in expected:
        ours, theirs = found[column], expected[column].reindex(found.index)
        if column.endswith("_minutes"):
            assert np.allclose(ours.astype(float), theirs, atol=0.006, equal_nan=True), column
        else:
            equal = (ours == theirs) | (ours.isna() & theirs.isna())
            assert equal.all(), (column, pd.concat([ours, theirs], axis=1)[~equal].head())
    # Nothing is compared that never happens.
    flags = [column for column in expected if column.startswith("is_")]
    assert (expected[flags].nunique() > 1).all()
    assert expected.outcome.nunique() == 4
    assert expected.is_consistent_with_log.isna().any()


@pytest.mark.system
def test_order_of_arrival_and_steps_of_building_change_nothing(dbt, built, lines, tmp_path):
    shuffled = [lines[0][place] for place in np.random.default_rng(3).permutation(len(lines[0]))]
    outcome = dbt(
        *(raw_directory(tmp_path, shuffled[:600]), tmp_path, *WAREHOUSE), areas="telehealth"
    )
    assert outcome.success, outcome.message
    raw_dir = raw_directory(tmp_path, shuffled[:600], shuffled[600:1500], shuffled[1500:])
    outcome = dbt(raw_dir, tmp_path, *WAREHOUSE, areas="telehealth")
    assert outcome.success, outcome.message
    for table in (FACT, TIMELINE):
        assert outcome.query(table) == built.query(table)


@pytest.mark.system
def test_real_input_without_events_builds_as_before_and_with_them_agrees_with_its_log(
    dbt, tmp_path
):
    real = shared_data("telemedicine")
    folder = tmp_path / "raw" / "telehealth"
    folder.mkdir(parents=True)
    for feed in ("appointment_logs", "patient_feedback", "patients", "providers"):
        (folder / f"{feed}.csv").symlink_to(real / f"{feed}.csv")
    outcome = dbt(tmp_path / "raw", tmp_path, *WAREHOUSE, areas="telehealth")
    assert outcome.success, outcome.message
    for table in ("core.fct_appointment_events", "telehealth.session_timeline"):
        assert outcome.query(f"select count(*) from {table}") == [(0,)]
    assert outcome.query("select count(*) from core.fct_appointments") == [(2000,)]
    assert outcome.query("select count(*) from core.dim_patient where is_inferred") == [(0,)]
    assert outcome.query(
        "select n_files, n_raw from quality.feed_reconciliation where feed = 'appointment_events'"
    ) == [(0, 0)]

    log = pd.read_csv(real / "appointment_logs.csv")
    held = log[log.status == "Completed"]
    at = pd.to_datetime(held.appointment_date + " " + held.scheduled_time)
    wait = pd.to_timedelta(held.wait_time_minutes, unit="min")
    length = pd.to_timedelta(held.duration_minutes, unit="min")
    called_off = log[log.status == "Cancelled"]
    lines = messages(
        pd.concat(
            [
                told(held, "patient_login", at),
                told(held, "session_started", at + wait),
                told(held, "session_ended", at + wait + length),
                told(called_off, "appointment_cancelled", pd.to_datetime(called_off.timestamp)),
            ]
        )
    )
    (folder / "appointment_events.ndjson").write_text("\n".join(lines))
    outcome = dbt(tmp_path / "raw", tmp_path, *WAREHOUSE, areas="telehealth")
    assert outcome.success, outcome.message
    rows = outcome.query(
        "select outcome, is_consistent_with_log, count(*), sum(patient_wait_minutes)::int, "
        "sum(session_minutes)::int, count(patient_key), sum(lateness_minutes)::int "
        "from telehealth.session_timeline group by all order by all"
    )
    waits, minutes = int(held.wait_time_minutes.sum()), int(held.duration_minutes.sum())
    assert rows == [
        ("cancelled", True, 204, None, None, 204, None),
        ("completed", True, 1497, waits, minutes, 1497, waits),
    ]
