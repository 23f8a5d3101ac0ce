"""Killed at any moment, while it lands, compacts or builds, a stream counts every event once."""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from builds import PROJECT, keeping
from confluent_kafka import Producer
from contents import contents
from typer.testing import CliRunner
from wardhouse.cli import app
from wardhouse.streaming.batches import batch_files, logical_files, read_landed

pytestmark = [pytest.mark.long, pytest.mark.waiting]

N_EVENTS = 100_000
N_PARTITIONS = 3
SEED = 20251122
FEED = "patient_flow.patient_events"
# What the process is doing when it is killed; each is waited for and then a random moment more.
KILLS = {"landing": 8, "compaction": 5, "build": 7, "cycle": 1}
MORE_SECONDS = {"landing": 0.3, "compaction": 0.05, "build": 6.0, "cycle": 0.8}
PRODUCED_IN_SECONDS = 3  # a round's share of the events
PATIENCE_SECONDS = 90
UNTESTED = ("build", "--exclude-resource-types", "test", "unit_test", "--select")
COMPARED = (
    "staging.base_patient_flow__patient_events",
    "core.fct_patient_stays",
    "core.fct_department_hour_flows",
    "core.dim_patient",
    "core.dim_department",
)


class Runner:
    """`wardhouse stream` in a process of its own, with small batches and much compaction."""

    def __init__(self, bootstrap: str, topic: str, place: Path, *options: str):
        self.log = place / "stream.log"
        self.n_logged = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, "-m", "wardhouse.cli", "stream", "--feed", FEED]
        command += ["--raw-dir", str(place / "raw"), "--bootstrap", bootstrap, "--topic", topic]
        command += ["--every", "0.5", "--max-messages", "300", "--max-seconds", "0.2"]
        command += ["--compact-after", "0", "--compact-grace", "0.5", *options]
        environment = {
            **os.environ,
            "PYTHONPATH": str(PROJECT / "scripts"),
            "WARDHOUSE_DB": str(place / "wardhouse.duckdb"),
            "WARDHOUSE_EXPORT_DIR": str(place / "exports"),
            "DBT_TARGET_PATH": str(place / "target"),
            "DBT_LOG_PATH": str(place / "logs"),
            "WARDHOUSE_KAFKA_SESSION_TIMEOUT_MS": "1000",
            "WARDHOUSE_KAFKA_HEARTBEAT_INTERVAL_MS": "300",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=PROJECT, stdout=log, stderr=log
            )

    def told(self) -> str:
        """Return what this process has printed."""
        return self.log.read_text()[self.n_logged :]


class Watch:
    """Tells what a runner is doing from the files that it leaves."""

    def __init__(self, place: Path, runner: Runner):
        self.place, self.runner = place, runner
        self.before = self.look()

    def look(self) -> dict[str, object]:
        """Return what changes while something is going on."""
        folder = self.place / "raw" / "patient_flow" / "patient_events"
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        database = [self.place / "wardhouse.duckdb", self.place / "wardhouse.duckdb.wal"]
        n_built = self.runner.told().count("built in")
        written = [path.stat().st_mtime_ns for path in database if path.exists()]
        return {
            "landing": {name for name in names if name[0] != "." and "compacted" not in name},
            "compaction": {name for name in names if "compacted" in name},
            "build": written,
            "cycle": written if n_built else None,
        }

    def wait_for(self, phase: str) -> None:
        """Return when the runner has begun to do it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        if phase == "cycle":
            while self.look()["cycle"] is None:
                self._wait(deadline)
            self.before = self.look()
        while not self._has_begun(phase):
            self._wait(deadline)

    def _has_begun(self, phase: str) -> bool:
        before, now = self.before[phase], self.look()[phase]
        return bool(now - before) if isinstance(now, set) else now != before

    def _wait(self, deadline: float) -> None:
        assert time.monotonic() < deadline, self.runner.told()[-3000:]
        assert self.runner.process.poll() is None, self.runner.told()[-3000:]
        time.sleep(0.005)


def simulated_events(place: Path) -> list[bytes | None]:
    """Return a dirty stream: told twice, out of order, no events, no text and tombstones."""
    arguments = ["--out", str(place), "--count", str(N_EVENTS), "--rate", "10", "--duration", "1d"]
    result = CliRunner().invoke(app, ["simulate", "patient-flow", *arguments])
    assert result.exit_code == 0, result.output
    paths = sorted((place / "patient_flow" / "patient_events").iterdir())
    events = b"".join(path.read_bytes() for path in paths).split(b"\n")[:-1]
    events[1000::5000] = [None] * len(events[1000::5000])
    events[2000::5000] = [b"\xff\xfe\x00 bytes"] * len(events[2000::5000])
    return events


class Topic:
    """A topic that is filled round by round, and what stands at each of its positions."""

    def __init__(self, broker, events: list[bytes | None], n_rounds: int):
        self.name = broker.create_topic("stream-chaos", N_PARTITIONS)
        self._producer = Producer(
            {"bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "log_level": 0}
        )
        share = -(-len(events) // n_rounds)
        self._shares = [events[begin : begin + share] for begin in range(0, len(events), share)]
        self._n_sent = [0] * N_PARTITIONS
        self.content: Counter = Counter()
        self._threads: list[threading.Thread] = []

    def send_share(self) -> None:
        """Send the next share bit by bit, in the background."""
        self.join()
        if self._shares:
            self._threads = [threading.Thread(target=self._send, args=(self._shares.pop(0),))]
            self._threads[0].start()

    def _send(self, events: list[bytes | None]) -> None:
        for begin in range(0, len(events), 50):
            for number, event in enumerate(events[begin : begin + 50]):
                partition = number % N_PARTITIONS
                self._producer.produce(self.name, event, partition=partition)
                position = f"{self.name}[{partition}]@{self._n_sent[partition]}"
                text = event and event.decode("utf-8", "backslashreplace")
                self.content[position, text] += 1
                self._n_sent[partition] += 1
            self._producer.flush()
            time.sleep(PRODUCED_IN_SECONDS * 50 / len(events))

    def join(self) -> None:
        """Wait until all that was to be sent is sent."""
        for thread in self._threads:
            thread.join()


def positions(database: Path) -> Counter:
    """Count how often each position stands in silver."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "select stream_position, count(*) from staging.base_patient_flow__patient_events "
            "group by all"
        ).fetchall()
    return Counter(dict(rows))


def test_every_event_counts_once_whatever_is_killed(kafka_broker, dbt, manifest, tmp_path):
    chance = random.Random(SEED)
    phases = [phase for phase, count in KILLS.items() for _ in range(count)]
    chance.shuffle(phases)
    events = simulated_events(tmp_path / "simulated")
    assert len(events) == N_EVENTS
    topic = Topic(kafka_broker, events, len(phases))
    for phase in phases:
        topic.send_share()
        runner = Runner(kafka_broker.bootstrap, topic.name, tmp_path)
        Watch(tmp_path, runner).wait_for(phase)
        time.sleep(chance.random() * MORE_SECONDS[phase])
        assert runner.process.poll() is None, runner.told()[-3000:]
        runner.process.kill()
        runner.process.wait()
    topic.join()
    end = Runner(kafka_broker.bootstrap, topic.name, tmp_path, "--until-end")
    assert end.process.wait(PATIENCE_SECONDS) == 0, end.told()[-3000:]

    folder = tmp_path / "raw" / "patient_flow" / "patient_events"
    assert sum(topic.content.values()) == N_EVENTS
    assert Counter(read_landed(folder)) == topic.content
    assert any(file.generation for file in logical_files(batch_files(folder)))
    expected = Counter({position: count for (position, _), count in topic.content.items()})
    assert positions(tmp_path / "wardhouse.duckdb") == expected

    kept = [f"+{name}" for name in keeping(manifest, "patient_flow")]
    full = dbt(tmp_path / "raw", tmp_path / "anew", *UNTESTED, *kept)
    assert full.success, full.message
    ours, theirs = contents(tmp_path / "wardhouse.duckdb"), contents(full.database)
    for table in COMPARED:
        assert len(theirs[table]) > 3, table
        assert ours[table] == theirs[table], table

    counted = dbt(
        tmp_path / "raw", tmp_path, "build", "--select", "quarantine", "feed_reconciliation"
    )
    assert counted.success, counted.message
    [counts] = counted.query(
        "select n_raw, n_accepted, n_rejected, n_duplicates from quality.feed_reconciliation "
        "where feed = 'patient_events'"
    )
    n_raw, n_accepted, n_rejected, n_duplicates = counts
    assert n_raw == n_accepted + n_rejected + n_duplicates == N_EVENTS
    assert n_rejected > 500
    assert n_duplicates > 500
    landed = "select count(*) from core.fct_patient_stays where n_events > 1"
    assert counted.query(landed)[0][0] > 1000
