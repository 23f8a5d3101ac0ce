"""The simulated telehealth stream: events that fit each other, the log and the shipped sample."""

import csv
import itertools
import json
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from builds import PROJECT
from playing import START, Memory, files, read, run
from scipy import stats
from wardhouse.areas.telehealth.dirt import EVENTS, AppointmentEventDirt
from wardhouse.areas.telehealth.events import APPOINTMENTS, CODES, EVENT_TYPES, KINDS, Telehealth
from wardhouse.synthetic import timeline as simulate_stream
from wardhouse.synthetic.player import play
from wardhouse.synthetic.timeline import DAY, HOUR, take

SAMPLE = PROJECT / "seeds/sample/telehealth"
CLEAN = AppointmentEventDirt().scaled(0)


def stream(rate=0.02, days=28.0, seed=1, **options):
    return Telehealth(rate, START, int(START + days * DAY), seed, **{"dirt": CLEAN} | options)


def told(one):
    sink = Memory()
    play(one, sink)
    return sink.lines(EVENTS), sink.lines(APPOINTMENTS)


def frame(lines):
    events = pd.DataFrame([json.loads(line) for line in lines])
    events["timestamp"] = pd.to_datetime(events["timestamp"])
    return events


@pytest.fixture(scope="module")
def month():
    events, log = told(stream(older_share=0))
    return frame(events), frame(log)


def by_type(events):
    """Give the time of each type of event: one row an appointment."""
    return events.pivot(index="appointment_id", columns="event_type", values="timestamp")


@pytest.mark.system
def test_the_same_seed_gives_the_same_bytes_in_steps_of_any_size(monkeypatch):
    options = {"rate": 0.05, "days": 3, "dirt": AppointmentEventDirt()}
    whole = told(stream(**options))
    monkeypatch.setattr(simulate_stream, "STEP_ARRIVALS", 50)
    assert told(stream(**options)) == whole
    assert told(stream(**options, seed=2)) != whole


@pytest.mark.parametrize(("rate", "days"), [(0.02, 28), (0.5, 7), (2, 7)])
@pytest.mark.system
def test_the_rate_is_the_mean_over_a_week(rate, days):
    n = sum(map(len, told(stream(rate, days))))
    assert n == pytest.approx(rate * days * 86400, rel=0.06)


def test_appointments_are_in_open_hours_and_fewer_at_weekends(month):
    _, log = month
    time = pd.to_datetime(log.appointment_date + " " + log.scheduled_time)
    assert time.dt.hour.between(8, 19).all()
    assert set(time.dt.minute) == {0, 15, 30, 45}
    counts = np.bincount(time.dt.day_of_week, minlength=7)
    expected = np.array([12, 11, 10, 10, 9, 3, 2])
    # The last minutes of the recording are not logged any more.
    assert stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue > 0.001


def test_events_are_in_order_and_of_every_type(month):
    events, _ = month
    assert events.event_id.is_unique
    assert events.timestamp.is_monotonic_increasing
    assert set(events.event_type) == set(EVENT_TYPES)
    assert not events.duplicated(["appointment_id", "event_type"]).any()
    assert events.details.map(lambda details: isinstance(details, dict)).all()


def test_the_events_of_an_appointment_follow_each_other(month):
    times = by_type(month[0])
    held = times[times.session_ended.notna() & times.appointment_scheduled.notna()]
    order = ["appointment_scheduled", "patient_login", "session_started", "session_ended"]
    for earlier, later in itertools.pairwise(order):
        assert (held[earlier] < held[later]).all()
    assert (held.provider_login < held.session_started).all()
    assert held.appointment_cancelled.isna().all()
    moved = held.appointment_rescheduled.dropna()
    assert 0.03 < len(moved) / len(held) < 0.1
    assert (moved > held.appointment_scheduled[moved.index]).all()
    assert (moved < held.patient_login[moved.index]).all()
    trouble = held.technical_issue.dropna()
    assert trouble.between(
        held.session_started[trouble.index], held.session_ended[trouble.index]
    ).all()
    off = times[times.appointment_cancelled.notna()]
    assert off.session_started.isna().all()
    asked = off.appointment_scheduled.dropna()
    assert (asked < off.appointment_cancelled[asked.index]).all()


def test_events_and_log_agree(month):
    events, log = month
    times = by_type(events)
    log = log.set_index("appointment_id").join(times)
    assert log.index.is_unique
    log = log[log.appointment_scheduled.notna()]
    held = log[log.status == "Completed"]
    wait = (held.session_started - held.patient_login).dt.total_seconds() / 60
    assert np.allclose(wait, held.wait_time_minutes)
    duration = (held.session_ended - held.session_started).dt.total_seconds() / 60
    assert np.allclose(duration, held.duration_minutes)
    ended = events[events.event_type == "session_ended"].set_index("appointment_id").details
    said = ended.map(lambda details: details["duration_minutes"])[held.index]
    assert (said == held.duration_minutes).all()
    assert (held.session_ended < held.timestamp).all()
    assert (held.technical_issue.notna() == held.had_technical_issues.astype(bool)).all()
    assert (log.appointment_cancelled.notna() == (log.status == "Cancelled")).all()
    others = log[log.status != "Completed"]
    assert others[["session_started", "session_ended", "technical_issue"]].isna().all(axis=None)
    # Whoever it was scheduled for, it was for the time in the log, unless it was moved.
    booked = events[events.event_type == "appointment_scheduled"].set_index("appointment_id")
    booked = pd.to_datetime(booked.details.map(lambda d: d["scheduled_time"]))[log.index]
    time = pd.to_datetime(log.appointment_date + " " + log.scheduled_time)
    is_moved = log.appointment_rescheduled.notna() & (log.status == "Completed")
    assert ((booked != time) == is_moved).all()


def test_details_are_those_of_the_type(month):
    events, _ = month
    keys = events.groupby("event_type").details.agg(lambda all_: {tuple(d) for d in all_})
    assert keys.to_dict() == {
        "appointment_scheduled": {("scheduled_time", "appointment_type")},
        "appointment_rescheduled": {("new_scheduled_time", "reason")},
        "appointment_cancelled": {("reason",)},
        "patient_login": {("device_type",)},
        "provider_login": {()},
        "session_started": {()},
        "technical_issue": {("issue_type",)},
        "session_ended": {("duration_minutes",)},
    }
    assert events[events.event_type == "provider_login"].patient_id.isna().all()
    assert events[events.event_type == "patient_login"].provider_id.isna().all()


def test_older_producers_send_no_identifier():
    events = frame(told(stream(days=7, older_share=0.3))[0])
    assert events.event_id.isna().mean() == pytest.approx(0.3, abs=0.05)
    by_appointment = events.groupby("appointment_id").event_id.agg(lambda ids: ids.isna().mean())
    assert set(by_appointment) == {0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_dirt_has_its_share(kind):
    one = stream(0.1, 4, dirt=AppointmentEventDirt(**vars(CLEAN) | {kind: 0.1}))
    blocks = [step.blocks[EVENTS] for step in one.steps()]
    block = {name: np.concatenate([b[name] for b in blocks]) for name in blocks[0]}
    block = take(block, ~block["is_copy"])
    can = ~block["is_older"] if kind.startswith("conflicting") else np.ones_like(block["is_older"])
    has_it = block["kind"] == CODES[kind]
    assert not has_it[~can].any()
    assert stats.binomtest(int(has_it[can].sum()), int(can.sum()), 0.1).pvalue > 0.001


def judge(lines):
    """Judge raw messages by hand: accepted, rejected, duplicates."""
    n_rejected = n_duplicates = n_accepted = 0
    contents, known = set(), {}
    types = {name.replace("_", "") for name in EVENT_TYPES}
    for line in lines:
        event = read(line)
        spelling = "".join(filter(str.isalnum, str((event or {}).get("event_type")))).lower()
        if not event or not event.get("appointment_id") or spelling not in types:
            n_rejected += 1
            continue
        try:
            datetime.fromisoformat(event.get("timestamp") or "")
        except ValueError:
            n_rejected += 1
            continue
        content = json.dumps(event, sort_keys=True)
        if content in contents:
            n_duplicates += 1
            continue
        contents.add(content)
        known.setdefault(event.get("event_id", content), []).append(event["timestamp"])
    for times in known.values():
        newest = times.count(max(times))
        n_accepted += newest == 1
        n_rejected += newest if newest > 1 else 0
        n_duplicates += len(times) - newest
    return [len(lines), n_accepted, n_rejected, n_duplicates]


def recorded():
    parts = [path.read_bytes() for path in sorted((SAMPLE / EVENTS).iterdir())]
    return b"".join(parts).split(b"\n")[:-1]


def test_the_truth_of_the_sample_holds_when_judged_by_hand():
    truth = pd.read_csv(PROJECT / "tests/truth/telehealth/expected_feeds.csv").set_index("feed")
    assert truth.loc[EVENTS].tolist() == judge(recorded())


def test_the_sample_tells_of_its_own_appointments():
    with (SAMPLE / "appointment_logs.csv").open(encoding="latin-1", newline="") as source:
        log = {row["appointment_id"].strip().upper(): row for row in csv.DictReader(source)}
    events = [event for line in recorded() if (event := read(line))]
    ids = {event.get("appointment_id") for event in events} - {None, ""}
    # A few lost their identifier in the log.
    assert len(ids - log.keys()) <= 5
    assert len(ids & log.keys()) > 590
    ended = {
        e["appointment_id"]: e["details"]["duration_minutes"]
        for e in events
        if e.get("event_type") == "session_ended"
        and e.get("appointment_id") in log
        and isinstance(e["details"], dict)
    }
    agree = [float(log[one]["duration_minutes"] or 0) == minutes for one, minutes in ended.items()]
    assert len(agree) > 300
    assert np.mean(agree) > 0.98


def test_files_of_the_command_are_a_raw_directory(tmp_path):
    options = ("--duration", "2d", "--rate", 0.05, "--out", tmp_path)
    result = run("simulate", "telehealth", *options)
    assert result.exit_code == 0, result.output
    assert list(files(tmp_path)) == [
        f"telehealth/{feed}/2025-09-0{day}.ndjson"
        for feed in (EVENTS, APPOINTMENTS)
        for day in (1, 2)
    ]


def test_standard_output_holds_the_events_only():
    options = ("--stdout", "--speed", 0, "--duration", "1d", "--rate", 0.05, "--dirt", 0)
    result = run("simulate", "telehealth", *options)
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert len(events) > 1000
    assert all(event["event_type"] in EVENT_TYPES for event in events)


def test_count_caps_both_feeds_together():
    one = stream(days=2)
    sink = Memory()
    assert play(one, sink, count=500) == 500
    events, log = sink.lines(EVENTS), sink.lines(APPOINTMENTS)
    assert len(events) + len(log) == 500
    every_event, every_log = told(one)
    assert (events, log) == (every_event[: len(events)], every_log[: len(log)])
    assert len(log) > 10


@pytest.mark.system
def test_a_live_stream_tells_the_present_time(monkeypatch):
    # The clock of a weekday's morning, for at night nobody comes.
    real, moment = time.time, datetime(2025, 9, 3, 10, tzinfo=UTC)
    shift = moment.timestamp() - real()
    monkeypatch.setattr(time, "time", lambda: real() + shift)
    now = int(time.time() * 1000)
    sink = Memory()
    play(Telehealth(200, now, now + 3000, 1, CLEAN), sink, speed=1, is_live=True)
    assert sink.written
    for sent_at, feed, due, messages in sink.written:
        first = json.loads(messages.split(b"\n")[0])
        assert feed in (EVENTS, APPOINTMENTS)
        stamped = datetime.fromisoformat(first["timestamp"]).replace(tzinfo=UTC).timestamp()
        assert stamped * 1000 == due
        assert 0 <= sent_at - stamped < 2


def test_nobody_is_booked_longer_ahead_than_can_be(month):
    events, _ = month
    booked = events[events.event_type == "appointment_scheduled"]
    ahead = pd.to_datetime(booked.details.map(lambda d: d["scheduled_time"])) - booked.timestamp
    assert ahead.min() >= pd.Timedelta(HOUR, "ms")
    assert ahead.max() <= pd.Timedelta(24, "D")
