"""The long-running process: what it builds and when, what it tells, and how it ends."""

import csv
import gc
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psutil
import pytest
import wardhouse.streaming.stream
import wardhouse.warehouse
from builds import PROJECT, SAMPLE, holding
from typer.testing import CliRunner
from wardhouse.cli import app
from wardhouse.commands.streaming import ToldOnce
from wardhouse.landing.feeds import declared_feeds
from wardhouse.landing.plan import plan_feed
from wardhouse.publish.live import publish_live
from wardhouse.publish.read import live, open_views
from wardhouse.settings import publish_directory
from wardhouse.streaming.batches import StreamError
from wardhouse.streaming.build import INTERRUPTED, Builder, Cycle
from wardhouse.streaming.ingest import Ingest, Limits
from wardhouse.streaming.metrics import CycleMetrics, Metrics
from wardhouse.streaming.sources.directory import DirectorySource
from wardhouse.streaming.stream import LAST_TRIES, STOP_SECONDS, Stream, holds_files

pytestmark = pytest.mark.long

FLOW = "patient_flow.patient_events"
EVENTS, LOGS = "telehealth.appointment_events", "telehealth.appointment_logs"
SOON = Limits(max_seconds=0.05)
PATIENCE_SECONDS = 90


def folder_of(raw_dir: Path, feed: str) -> Path:
    return raw_dir.joinpath(*feed.split("."))


def event(patient: str, **fields) -> bytes:
    """Write an admission that happens now, as a line."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    admission = {"patient_id": patient, "hospital_id": 1, "department": "ICU", "age": 40}
    admission |= {"gender": "Female", "event_time": now, "admission_time": now, **fields}
    return json.dumps(admission).encode() + b"\n"


def append(path: Path, *lines: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"".join(lines))


def ingest_of(raw_dir: Path, directory: Path, feed: str = FLOW, limits: Limits = SOON) -> Ingest:
    directory.mkdir(parents=True, exist_ok=True)
    return Ingest(DirectorySource(directory), folder_of(raw_dir, feed), feed, limits)


def wait_until(condition) -> None:
    """Return when a condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Watched:
    """A stream whose builds are noted; after each, the next step is taken, after the last it ends.

    Whoever waits in vain for a build is told so.
    """

    def __init__(self, ingest: Ingest, builder, area: str, *steps, every=0.05, whole=3600.0):
        self.cycles: list[Cycle] = []
        self._steps = list(steps)
        self._folder = ingest._folder.folder
        self.stream = Stream(ingest, builder, area, every, whole, self._note)

    def _note(self, cycle: Cycle) -> None:
        self.cycles.append(cycle)
        if self._steps:
            self._steps.pop(0)()
        else:
            self.stream.stop()

    def run(self, until_end: bool = False) -> list[Cycle]:
        """Stream, and return the builds."""
        watchdog = threading.Timer(PATIENCE_SECONDS, self.stream.stop)
        watchdog.start()
        try:
            self.stream.run(lambda: holds_files(self._folder), until_end)
        finally:
            watchdog.cancel()
        assert not self._steps, self.cycles
        return self.cycles


class Pretender:
    """A builder that builds nothing, takes as long as it says, and fails as it is told."""

    def __init__(self, *errors: str, seconds: float = 0.0, live_errors: tuple[str, ...] = ()):
        self.selectors: list[str] = []
        self._errors, self._seconds = list(errors), seconds
        self._live_errors = list(live_errors)

    def build(self, selector: str) -> Cycle:
        """Note the selector."""
        self.selectors.append(selector)
        error = self._errors.pop(0) if self._errors else ""
        live_error = self._live_errors.pop(0) if self._live_errors and not error else ""
        return Cycle(time.time(), self._seconds, None, error, live_error)


# When it builds, without dbt


def test_nothing_is_built_while_nothing_lands(tmp_path):
    builder, source = Pretender(), tmp_path / "source"
    lock = folder_of(tmp_path / "raw", FLOW) / ".compaction.lock"
    append(lock, b"")  # hidden files are no data
    watched = Watched(ingest_of(tmp_path / "raw", source), builder, "patient_flow", list, list)
    running = threading.Thread(target=watched.run)
    running.start()
    time.sleep(0.6)
    assert builder.selectors == []
    append(source / "a.ndjson", event("P1"))
    wait_until(lambda: builder.selectors)
    time.sleep(0.6)
    assert builder.selectors == ["patient_flow"]
    append(source / "a.ndjson", event("P2"))
    wait_until(lambda: len(builder.selectors) > 1)
    time.sleep(0.6)
    assert builder.selectors == ["patient_flow", FLOW]
    watched.stream.stop()
    with suppress(AssertionError):
        running.join(10)
    assert not running.is_alive()
    assert len(builder.selectors) == 2


def test_whole_area_is_built_now_and_then(tmp_path):
    builder, source = Pretender(), tmp_path / "source"
    append(source / "a.ndjson", event("P1"))

    def more():
        append(source / "a.ndjson", event("P"))

    ingest = ingest_of(tmp_path / "raw", source)
    Watched(ingest, builder, "patient_flow", more, more, whole=0.0).run()
    assert builder.selectors == ["patient_flow"] * 3


def test_failed_build_is_tried_again_as_it_was(tmp_path):
    builder, source = Pretender("locked", "locked"), tmp_path / "source"
    append(source / "a.ndjson", event("P1"))
    ingest = ingest_of(tmp_path / "raw", source)
    cycles = Watched(ingest, builder, "patient_flow", list, list).run()
    assert [cycle.error for cycle in cycles] == ["locked", "locked", ""]
    assert builder.selectors == ["patient_flow"] * 3


def test_live_answers_that_are_not_published_are_tried_again_though_nothing_lands(tmp_path):
    source = tmp_path / "source"
    append(source / "a.ndjson", event("P1"))
    builder = Pretender(live_errors=("the disk is full", "the disk is full"))
    cycles = Watched(ingest_of(tmp_path / "raw", source), builder, "patient_flow", list, list).run()
    assert [cycle.live_error for cycle in cycles] == ["the disk is full", "the disk is full", ""]
    assert builder.selectors == ["patient_flow", FLOW, FLOW]


def test_whole_build_that_failed_waits_while_cycles_go_on(tmp_path):
    source = tmp_path / "source"
    append(source / "a.ndjson", event("P1"))
    builder = Pretender("", "a defect", "", "", seconds=0.1)

    def more():
        append(source / "a.ndjson", event("P"))

    ingest = ingest_of(tmp_path / "raw", source)
    Watched(ingest, builder, "patient_flow", more, more, more, more, whole=0.0, every=0.4).run()
    area = "patient_flow"
    assert builder.selectors == [area, area, FLOW, FLOW, area]


def test_first_whole_build_that_failed_is_not_tried_at_once(tmp_path):
    source = tmp_path / "source"
    append(source / "a.ndjson", event("P1"))
    builder = Pretender("a defect", seconds=0.2)
    ingest = ingest_of(tmp_path / "raw", source)
    first, second = Watched(ingest, builder, "patient_flow", list).run()
    assert second.ended_at - first.ended_at >= 2.0


def test_last_build_is_tried_a_few_times_and_not_for_ever(tmp_path):
    source = tmp_path / "source"
    append(source / "a.ndjson", event("P1"))
    builder = Pretender(*["locked"] * 99)
    watched = Watched(ingest_of(tmp_path / "raw", source), builder, "patient_flow", every=0.3)
    cycles = watched.run(until_end=True)
    assert cycles[-1].error == "locked"
    assert LAST_TRIES <= len(cycles) <= LAST_TRIES + 2
    assert cycles[-1].ended_at - cycles[-2].ended_at > 0.2


def test_stop_lands_and_builds_what_is_held(tmp_path):
    builder, source, raw_dir = Pretender(), tmp_path / "source", tmp_path / "raw"
    append(source / "a.ndjson", event("P1"))
    slow = ingest_of(raw_dir, source, limits=Limits(max_seconds=3600))
    watched = Watched(slow, builder, "patient_flow")

    def stop_when_held():
        wait_until(lambda: any(held.n_bytes for held in list(slow._held.values())))
        watched.stream.stop()

    stopping = threading.Thread(target=stop_when_held)
    stopping.start()
    [cycle] = watched.run()
    stopping.join()
    assert slow.counts.n_records == 1
    assert not cycle.error


def test_whatever_ends_the_ingest_ends_the_stream(tmp_path):
    builder, source = Pretender(), tmp_path / "source"
    append(source / "a.ndjson", event("P1"))
    ingest = ingest_of(tmp_path / "raw", source)

    def fail(*_):
        raise ZeroDivisionError("by a defect")

    def step():
        ingest._source.read = fail

    with pytest.raises(ZeroDivisionError, match="by a defect"):
        Watched(ingest, builder, "patient_flow", step).run()


def test_shrunken_source_ends_the_stream_when_what_landed_is_built(tmp_path):
    builder, source = Pretender(), tmp_path / "source"
    append(source / "a.ndjson", event("P1"))

    def shrink():
        append(source / "b.ndjson", event("P2"))
        (source / "a.ndjson").write_bytes(b"")

    with pytest.raises(StreamError, match="shrank"):
        Watched(ingest_of(tmp_path / "raw", source), builder, "patient_flow", shrink).run()
    assert builder.selectors[0] == "patient_flow"


def test_error_is_told_again_after_a_while_or_after_a_success():
    told = ToldOnce(again_seconds=0.2)
    assert [told.is_news(error) for error in ("a", "a", "b", "", "b", "b")] == [
        *(True, False, True, False, True, False)
    ]
    time.sleep(0.25)
    assert told.is_news("b")


def test_builds_are_measured():
    from prometheus_client import generate_latest

    metrics = Metrics()
    counted = CycleMetrics(metrics)
    for cycle in (Cycle(1000.0, 1.5, 990.0, ""), Cycle(1001.0, 2.5, None, "locked")):
        counted.count(cycle)
    text = generate_latest(metrics.registry).decode()
    assert 'wardhouse_stream_builds_total{outcome="succeeded"} 1.0' in text
    assert 'wardhouse_stream_builds_total{outcome="failed"} 1.0' in text
    assert "wardhouse_stream_build_seconds 2.5" in text
    assert "wardhouse_stream_newest_event_timestamp_seconds 990.0" in text
    assert Cycle(1000.0, 1.5, 990.0, "").age_seconds == 10
    assert Cycle(1000.0, 1.5, None, "").age_seconds is None


# The command, where it ends before anything is built


def run_command(raw_dir: Path, source: Path, *options: str, **environment: str):
    arguments = ["stream", "--feed", FLOW, "--raw-dir", str(raw_dir), "--directory", str(source)]
    place = raw_dir.parent
    environment |= {
        "WARDHOUSE_DB": str(place / "wardhouse.duckdb"),
        "DBT_TARGET_PATH": str(place / "target"),
        "DBT_LOG_PATH": str(place / "logs"),
    }
    before = os.environ.get("WARDHOUSE_RAW_DIR")
    try:
        return CliRunner().invoke(app, [*arguments, *options], env=environment)
    finally:  # the command sets it for its builds
        os.environ.pop("WARDHOUSE_RAW_DIR", None)
        if before is not None:
            os.environ["WARDHOUSE_RAW_DIR"] = before


@pytest.mark.system
def test_folder_that_cannot_be_written_ends_the_command(tmp_path):
    (tmp_path / "source").mkdir()
    append(tmp_path / "raw" / "patient_flow", b"a file where a folder should be")
    result = run_command(tmp_path / "raw", tmp_path / "source")
    assert result.exit_code == 1
    assert "cannot write into" in result.output
    assert "Traceback" not in result.output


def test_plain_file_beside_batches_of_lines_is_read_with_them(tmp_path):
    folder = folder_of(tmp_path / "raw", FLOW)
    append(tmp_path / "source" / "a.ndjson", event("STREAMED"), b"poison\n")
    source = DirectorySource(tmp_path / "source")
    with Ingest(source, folder, FLOW, file_format="ndjson") as ingest:
        ingest.run(until_end=True)
    append(folder / "copied.ndjson", event("COPIED"))
    [feed] = [feed for feed in declared_feeds(PROJECT) if feed.label == FLOW]
    plan = plan_feed(tmp_path / "raw", feed, {})
    assert plan.problems == []
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select patient_id, stream_position is not null, ingested_at is not null, "
            f"unreadable_text from ({plan.select}) order by all nulls last"
        ).fetchall()
    assert rows == [
        ("COPIED", False, False, None),
        ("STREAMED", True, True, None),
        (None, True, True, "poison"),
    ]


def test_area_that_is_not_chosen_is_refused(tmp_path):
    (tmp_path / "source").mkdir()
    chosen = {"WARDHOUSE_AREAS": "hospital, telehealth"}
    result = run_command(tmp_path / "raw", tmp_path / "source", **chosen)
    assert result.exit_code == 1
    assert "add patient_flow" in result.output


def test_until_the_end_of_nothing_is_well(tmp_path):
    (tmp_path / "source").mkdir()
    result = run_command(tmp_path / "raw", tmp_path / "source", "--until-end")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.system
def test_feed_without_a_column_is_told_until_it_has_one(tmp_path):
    append(tmp_path / "source" / "a.ndjson", b'{"patient_id": "P1"}\n')
    result = run_command(tmp_path / "raw", tmp_path / "source", "--until-end", "--every", "0")
    assert result.exit_code == 1
    assert result.output.count("lacks department, admission_time, hospital_id") == 1
    assert "Traceback" not in result.output
    [landed] = folder_of(tmp_path / "raw", FLOW).glob("a*")
    assert landed.stat().st_size > 0


@pytest.mark.system
def test_stream_that_builds_obeys_a_signal_within_seconds(tmp_path):
    source = tmp_path / "source"
    append(source / "a.ndjson", *(event(f"P{number}") for number in range(2_000)))
    arguments = ["--feed", FLOW, "--raw-dir", str(tmp_path / "raw"), "--directory", str(source)]
    places = {
        "WARDHOUSE_DB": str(tmp_path / "wardhouse.duckdb"),
        "WARDHOUSE_EXPORT_DIR": str(tmp_path / "exports"),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }
    command = [str(Path(sys.executable).with_name("wardhouse")), "stream", *arguments]

    process = subprocess.Popen(
        command, env={**os.environ, **places}, stderr=subprocess.PIPE, text=True
    )
    wait_until((tmp_path / "wardhouse.duckdb").exists)
    time.sleep(2)  # of a build that takes many
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert time.monotonic() - began < STOP_SECONDS + 5
    assert (process.returncode, INTERRUPTED in told, "Traceback" in told) == (0, True, False), told
    again = subprocess.run(
        [*command, "--until-end"],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    with duckdb.connect(places["WARDHOUSE_DB"], read_only=True) as connection:
        stays = connection.execute("select count(*) from core.fct_patient_stays").fetchone()
    assert stays == (2_000,)


# With dbt, on a warehouse that was built before


def publish(connection, nodes, newest: float | None) -> str:
    """Publish what is live where the command would."""
    publish_live(connection, nodes, publish_directory(), newest)
    return ""


class CycleBuilder(Builder):
    """Builds what the cycles of a feed build, for the whole was built before."""

    def __init__(self, feed: str):
        super().__init__(PROJECT, feed.partition(".")[0], publish)
        self.feed = feed

    def build(self, selection: str) -> Cycle:
        """Build what cycles build, whatever is asked for."""
        return super().build(self.feed)


class Warehouse:
    """A warehouse of two areas, the streams that feed it, and the builders of both."""

    def __init__(self, place: Path):
        self.place, self.raw_dir = place, place / "raw"
        self.database = place / "wardhouse.duckdb"
        self.flow, self.telehealth = CycleBuilder(FLOW), CycleBuilder(EVENTS)

    def source(self, feed: str) -> Path:
        """Return the directory that a feed streams from."""
        return self.place / "sources" / feed

    def send(self, feed: str, *lines: bytes) -> None:
        """Let lines come."""
        append(self.source(feed) / f"{feed.partition('.')[2]}.ndjson", *lines)

    def ingest(self, feed: str) -> Ingest:
        """Return what lands a feed."""
        return ingest_of(self.raw_dir, self.source(feed), feed)

    def land(self, feed: str) -> None:
        """Land what was sent, and build nothing."""
        with self.ingest(feed) as ingest:
            ingest.run(until_end=True)

    def stream(self, feed: str, *steps, until_end: bool = False) -> list[Cycle]:
        """Land and build, step by step."""
        area = feed.partition(".")[0]
        builder = self.flow if area == "patient_flow" else self.telehealth
        builder.feed = feed
        return Watched(self.ingest(feed), builder, area, *steps).run(until_end)

    def query(self, sql: str, *parameters) -> list[tuple]:
        """Ask the warehouse."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql, parameters).fetchall()

    def n_stays(self, *patients: str) -> int:
        """Count the stays of patients in core."""
        sql = "select count(*) from core.fct_patient_stays where patient_id in (select unnest(?))"
        return self.query(sql, list(patients))[0][0]


@pytest.fixture(scope="module")
def warehouse(dbt, tmp_path_factory):
    """Return a warehouse of what had streamed in before, telehealth's log too."""
    warehouse = Warehouse(tmp_path_factory.mktemp("stream"))
    out = ["--out", str(warehouse.place / "simulated"), "--duration", "6h", "--rate", "0.05"]
    result = CliRunner().invoke(app, ["simulate", "patient-flow", *out])
    assert result.exit_code == 0, result.output
    for path in (warehouse.place / "simulated").rglob("*.ndjson"):
        warehouse.send(FLOW, path.read_bytes())
    for path in sorted((SAMPLE / "telehealth" / "appointment_events").iterdir()):
        warehouse.send(EVENTS, path.read_bytes())
    text = (SAMPLE / "telehealth" / "appointment_logs.csv").read_text(errors="replace")
    logs = csv.DictReader(text.splitlines())
    warehouse.send(LOGS, *(json.dumps(log).encode() + b"\n" for log in logs))
    for feed in (FLOW, EVENTS, LOGS):
        warehouse.land(feed)
    for path in (SAMPLE / "telehealth").glob("*.csv"):
        if path.stem != "appointment_logs":
            shutil.copy(path, warehouse.raw_dir / "telehealth")
    tables = ("department_now", "last_48_hours", "dim_patient", "session_timeline")
    built = dbt(
        *(warehouse.raw_dir, warehouse.place, "build"),
        *("--exclude-resource-types", "test", "unit_test", "--select"),
        *(f"+{table}" for table in (*tables, "fct_appointments")),
    )
    assert built.success, built.message
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARDHOUSE_RAW_DIR", str(warehouse.raw_dir))
        patch.setenv("WARDHOUSE_DB", str(warehouse.database))
        patch.setenv("WARDHOUSE_EXPORT_DIR", str(warehouse.place / "exports"))
        patch.setenv("WARDHOUSE_PUBLISH_DIR", str(warehouse.place / "published"))
        patch.setenv("DBT_TARGET_PATH", str(warehouse.place / "target"))
        patch.setenv("DBT_LOG_PATH", str(warehouse.place / "logs"))
        patch.delenv("WARDHOUSE_AREAS", raising=False)
        # The last build of a stream gets the time it takes, however busy the machine is.
        patch.setattr(wardhouse.streaming.stream, "STOP_SECONDS", PATIENCE_SECONDS)
        yield warehouse


@pytest.mark.system
def test_events_are_in_the_star_a_cycle_after_they_landed(warehouse):
    to_come = "2049-01-01T00:00:00"
    strange = [
        event("HUGE", note="x" * 5_000_000),
        event("ESCAPED\x00NUL"),
        event("AHEAD", event_time=to_come, admission_time=to_come),
        event("CLOCKLESS", event_time=None),
    ]
    poison = [
        b"\x00\x00\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'"text"\n',
        b'{"a": "\\ud800"}\n',
    ]

    def send():
        warehouse.send(FLOW, event("NOW"), *strange, *poison)

    base = "staging.base_patient_flow__patient_events"
    refused = f"select rejected_record ->> '$.stream_position' from {base} where "
    refused += "rejection_reason is not null"
    [(n_before,)] = warehouse.query(f"select count(*) from {base}")
    before = warehouse.query(refused)
    _, cycle, *_ = warehouse.stream(FLOW, send)
    assert cycle.error == ""
    assert 0 <= cycle.age_seconds < 60
    assert warehouse.n_stays("NOW", "HUGE", "AHEAD", "CLOCKLESS") == 3
    [(n_after,)] = warehouse.query(f"select count(*) from {base}")
    assert n_after - n_before == 1 + len(strange) + len(poison)
    added = set(warehouse.query(refused)) - set(before)
    # A patient with a NUL is nobody, and what is to come in 2049 cannot have been told by now.
    assert len(added) == len(poison) + 2
    assert all(position.startswith("patient_events.ndjson@") for (position,) in added)


@pytest.mark.system
def test_cycle_leaves_live_answers_and_lets_go_of_the_database(warehouse):
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    # Whatever was simulated last, this happened later.
    warehouse.send(FLOW, event("LIVE", department="Burn Unit", wait_time_minutes=61))
    *_, cycle = warehouse.stream(FLOW, until_end=True)
    assert (cycle.error, cycle.live_error) == ("", "")
    query = (
        "select now_at, census, n_admissions_last_hour, n_waited_beyond_target "
        "from patient_flow.department_now where department = 'Burn Unit'"
    )
    with live(warehouse.place / "published") as snapshot, open_views(snapshot, "1GB") as connection:
        [(now_at, *counts)] = connection.execute(query).fetchall()
        [(hour_at,)] = connection.execute(
            "select max(hour_at) from patient_flow.last_48_hours"
        ).fetchall()
        newest = datetime.fromisoformat(snapshot.manifest["newest_event_at"]).replace(tzinfo=None)
    assert counts == [1, 1, 1]
    assert now <= now_at <= newest
    assert hour_at == now_at.replace(minute=0, second=0, microsecond=0)
    assert warehouse.n_stays("LIVE") == 1


@pytest.mark.system
def test_events_without_a_clock_are_as_old_as_their_landing(warehouse):
    def send():
        warehouse.send(FLOW, event("UNTOLD", event_time=None, admission_time="2025-01-01 00:00"))

    *_, cycle = warehouse.stream(FLOW, send)
    assert 0 <= cycle.age_seconds < 60


@pytest.mark.system
def test_locked_database_is_told_and_what_landed_is_built_later(warehouse):
    holder = ExitStack()

    def lock():
        holder.enter_context(holding(warehouse.database))
        warehouse.send(FLOW, event("WAITED"))

    cycles = warehouse.stream(FLOW, lock, holder.close)
    assert ["in use by process" in cycle.error for cycle in cycles] == [False, True, False]
    assert "\n" not in cycles[1].error.strip()
    assert warehouse.n_stays("WAITED") == 1


def test_build_that_met_another_at_the_database_lets_go_of_it(warehouse, monkeypatch):
    """The database is opened for schema after schema: whoever has it may end in between."""
    attach, refusals = wardhouse.warehouse._attach, ["in use by another process"]
    opened = []

    def refuse_once(connection, database, options):
        if refusals:
            raise wardhouse.warehouse.HeldError(refusals.pop())
        opened.append(database)
        attach(connection, database, options)

    gc.disable()  # else it would close what was left open, sooner or later
    try:
        with monkeypatch.context() as patch:
            patch.setattr(wardhouse.warehouse, "_attach", refuse_once)
            failed = warehouse.flow.build("patient_flow")
        assert "in use by another process" in failed.error
        assert opened
        assert warehouse.n_stays("NOBODY") == 0  # who only reads can
        assert warehouse.flow.build("patient_flow").error == ""
    finally:
        gc.enable()


@pytest.mark.system
def test_file_of_another_kind_stops_builds_until_it_is_gone(warehouse):
    copied = folder_of(warehouse.raw_dir, FLOW) / "copied.ndjson"

    def copy():
        append(copied, event("COPIED"))
        warehouse.send(FLOW, event("AFTER"))

    cycles = warehouse.stream(FLOW, copy, copied.unlink)
    assert ["mixes kinds of files" in cycle.error for cycle in cycles] == [False, True, False]
    assert warehouse.n_stays("AFTER", "COPIED") == 1


def test_what_landed_before_a_crash_is_built_by_the_next_start(warehouse):
    warehouse.send(FLOW, event("CRASHED"))
    warehouse.land(FLOW)
    assert warehouse.n_stays("CRASHED") == 0
    cycles = warehouse.stream(FLOW, until_end=True)
    assert [cycle.error for cycle in cycles] == [""]
    assert warehouse.n_stays("CRASHED") == 1


@pytest.mark.system
def test_memory_stays_flat_over_cycles(warehouse):
    process = psutil.Process()
    resident = []

    def step():
        gc.collect()
        resident.append(process.memory_info().rss)
        warehouse.send(FLOW, event(f"CYCLE{len(resident)}"))

    cycles = warehouse.stream(FLOW, *[step] * 16)
    assert [cycle.error for cycle in cycles] == [""] * 17
    assert warehouse.n_stays(*(f"CYCLE{number}" for number in range(1, 17))) == 16
    assert resident[-1] - resident[4] < 25 * 2**20


@pytest.mark.system
def test_telehealth_streams_reach_the_timeline_and_the_appointments(warehouse):
    told = [
        ("appointment_scheduled", "10:00", {"scheduled_time": "2025-01-02T11:00:00"}),
        ("session_started", "11:01", {}),
        ("session_ended", "11:31", {"duration_minutes": 30}),
    ]

    def send():
        for event_type, at, details in told:
            message = {"event_type": event_type, "appointment_id": "STREAMED", "details": details}
            message |= {"timestamp": f"2025-01-02T{at}:00", "patient_id": "PAT000001"}
            warehouse.send(EVENTS, json.dumps(message).encode() + b"\n")
        warehouse.send(EVENTS, b"poison\n")

    *_, cycle = warehouse.stream(EVENTS, send)
    assert cycle.error == ""
    timeline = "select n_events from telehealth.session_timeline where appointment_id = 'STREAMED'"
    assert warehouse.query(timeline) == [(3,)]
    log = json.loads(
        (warehouse.source(LOGS) / "appointment_logs.ndjson").read_text().split("\n")[0]
    )
    log |= {"appointment_id": "LOGGED", "timestamp": "2025-01-03 10:00:00"}
    warehouse.send(LOGS, json.dumps(log).encode() + b"\n", b"poison\n")
    *_, cycle = warehouse.stream(LOGS, until_end=True)
    assert cycle.error == ""
    logged = "select count(*) from core.fct_appointments where appointment_id = 'LOGGED'"
    assert warehouse.query(logged) == [(1,)]
    for feed in ("appointment_events", "appointment_logs"):
        refused = warehouse.query(
            "select rejected_record ->> '$.unreadable_text', "
            "starts_with(rejected_record ->> '$.stream_position', ? || '.ndjson@') "
            f"from staging.base_telehealth__{feed} where rejected_record like '%poison%'",
            feed,
        )
        assert refused == [("poison", True)], feed


def stream_telehealth(place: str) -> None:
    """Stream into telehealth until told to stop: what the other process does."""
    wardhouse.streaming.stream.STOP_SECONDS = PATIENCE_SECONDS
    warehouse = Warehouse(Path(place))
    stream = Stream(
        warehouse.ingest(EVENTS),
        *(warehouse.telehealth, "telehealth", 0.05, 3600.0),
        lambda cycle: print("failed" if cycle.error else "built", repr(cycle.error), flush=True),
    )
    signal.signal(signal.SIGTERM, lambda *_: stream.stop())
    last = stream.run(lambda: True)
    sys.exit(1 if last.error else 0)


@pytest.mark.system
def test_two_streams_feed_one_database(warehouse):
    log = warehouse.place / "telehealth.log"
    program = f"from test_stream import *; stream_telehealth({str(warehouse.place)!r})"
    here = Path(__file__).parent
    path = f"{PROJECT / 'scripts'}:{here.parent}:{here}"
    with log.open("wb") as output:
        other = subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": path},
            stdout=output,
            stderr=output,
        )
    n_sent, failures = 0, []
    deadline = time.monotonic() + PATIENCE_SECONDS

    def send():
        nonlocal n_sent
        n_sent += 1
        warehouse.send(FLOW, event(f"BOTH{n_sent}"))
        message = {"event_id": f"both{n_sent}", "event_type": "patient_login"}
        message |= {"appointment_id": "BOTH", "timestamp": "2025-01-02T10:00:00"}
        warehouse.send(EVENTS, json.dumps(message).encode() + b"\n")

    def note(cycle: Cycle) -> None:
        failures.append(cycle.error)
        told = log.read_text()
        is_enough = told.count("built") > 1 and failures.count("") > 1
        is_met = "failed" in told or any(failures)
        if (is_enough and is_met) or time.monotonic() > deadline:
            stream.stop()
        send()

    stream = Stream(warehouse.ingest(FLOW), warehouse.flow, "patient_flow", 0.05, 3600.0, note)
    last = stream.run(lambda: True)
    assert last.error == "" or "in use by" in last.error
    other.terminate()
    assert other.wait(PATIENCE_SECONDS) == 0, log.read_text()
    *_, last = warehouse.stream(FLOW, until_end=True)
    assert last.error == ""
    told = log.read_text()
    failures += [line for line in told.splitlines() if line.startswith("failed")]
    assert any("in use by" in error for error in failures)
    assert [error for error in failures if error and "in use by" not in error] == []
    assert warehouse.n_stays(*(f"BOTH{number}" for number in range(1, n_sent + 1))) == n_sent
    landed = "select count(*) from core.fct_appointment_events where appointment_id = 'BOTH'"
    warehouse.stream(EVENTS, until_end=True)
    assert warehouse.query(landed) == [(n_sent,)]


# The command, from the first event to the last


def wait_for(told: Path, text: str, count: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while told.read_text().count(text) < count:
        assert time.monotonic() < deadline, told.read_text()
        assert process.poll() is None, told.read_text()
        time.sleep(0.05)


def read_metrics(port: int) -> str:
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()


def n_landed(metrics: str) -> float:
    counts = re.findall(r"^wardhouse_ingest_messages_total\{.*\} (.*)$", metrics, re.MULTILINE)
    return sum(map(float, counts))


@pytest.mark.system
def test_command_waits_builds_tells_and_ends_in_good_order(tmp_path):
    source, told = tmp_path / "source", tmp_path / "told.log"
    source.mkdir()
    (tmp_path / "raw" / "telehealth").mkdir(parents=True)  # an area without feeds, not chosen
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "wardhouse.cli", "stream", "--feed", FLOW, "--every", "0.2"]
    command += ["--raw-dir", "raw", "--directory", "source", "--compact-after", "0"]
    command += ["--max-seconds", "0.1", "--metrics-port", str(port)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "scripts"),
        "WARDHOUSE_AREAS": "patient_flow",
        "WARDHOUSE_DB": str(tmp_path / "wardhouse.duckdb"),
        "WARDHOUSE_EXPORT_DIR": str(tmp_path / "exports"),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }
    with told.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (folder_of(tmp_path / "raw", FLOW) / ".compaction.lock").exists():
            assert time.monotonic() < deadline, told.read_text()
            time.sleep(0.05)
        time.sleep(1)
        assert told.read_text() == ""
        append(source / "a.ndjson", *(event(f"P{number}") for number in range(40)))
        wait_for(told, "built in", 1, process)
        metrics = read_metrics(port)
        append(source / "a.ndjson", event("LAST"))
        wait_until(lambda: n_landed(read_metrics(port)) == 41)
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0, told.read_text()
    finally:
        process.kill()
    assert 'wardhouse_stream_builds_total{outcome="succeeded"} 1.0' in metrics
    assert "41 messages landed, lag 0 bytes" in told.read_text().splitlines()[-1]
    assert "failed" not in told.read_text()
    with duckdb.connect(str(tmp_path / "wardhouse.duckdb"), read_only=True) as connection:
        sql = "select count(*), bool_or(patient_id = 'LAST') from core.fct_patient_stays"
        assert connection.execute(sql).fetchone() == (41, True)
        sql = "select n_raw, n_accepted from quality.feed_reconciliation where feed = ?"
        assert connection.execute(sql, ["patient_events"]).fetchone() == (40, 40)
