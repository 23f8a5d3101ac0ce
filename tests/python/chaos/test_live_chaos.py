"""A stream killed at any moment leaves live answers of one cycle, and the next one cleans up."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from builds import PROJECT
from publishing import MARTS, build, write_clinic
from wardhouse.publish.live import publish_live
from wardhouse.publish.read import live, open_views
from wardhouse.publish.versions import PublishError

pytestmark = [pytest.mark.long, pytest.mark.system, pytest.mark.waiting]

N_KILLS = 20  # of a process that does nothing but publish
N_CYCLES = 4  # of a stream that is killed then; its first is a build of the whole area
SEED = 11
PATIENCE_SECONDS = 300
FEED = "patient_flow.patient_events"
# Of both tables: the newest hour of the one is the hour of the other's now, and what is in the
# departments by either is who came: nobody leaves.
QUESTION = """
    select
        (select max(now_at) from patient_flow.department_now),
        (select sum(census) from patient_flow.department_now),
        (select max(hour_at) from patient_flow.last_48_hours),
        (
            select sum(census) from patient_flow.last_48_hours
            where hour_at = (select max(hour_at) from patient_flow.last_48_hours)
        )
"""


# Changes both marts and publishes them, again and again, as cycles do; says so before each.
PROGRAM = """
import json, sys
from pathlib import Path
import duckdb
from wardhouse.publish.live import publish_live
database, manifest, folder = map(Path, sys.argv[1:])
nodes = json.loads(manifest.read_text())["nodes"]
live = [nodes[f"model.wardhouse.{name}"] for name in ("department_costs", "size_costs")]
with duckdb.connect(str(database)) as connection:
    for cost in range(10**6):
        connection.execute(f"update clinic.department_costs set cost = {cost}")
        connection.execute(f"update clinic.size_costs set cost = {cost}")
        print("begins", flush=True)
        publish_live(connection, live, folder, None)
"""
COSTS = " union ".join(f"select cost from {mart}" for mart in MARTS)


class Feeding:
    """Writes admissions into a growing file until it is stopped."""

    def __init__(self, path: Path):
        self._path, self._is_over, self.n_sent = path, threading.Event(), 0
        path.parent.mkdir(parents=True)
        path.touch()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        while not self._is_over.wait(0.05):
            self.n_sent += 1
            now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
            admission = {"patient_id": f"P{self.n_sent}", "hospital_id": 1, "department": "ICU"}
            admission |= {"event_time": now, "admission_time": now, "discharge_time": None}
            with self._path.open("ab") as file:
                file.write(json.dumps(admission).encode() + b"\n")

    def stop(self) -> None:
        """End, and return when all is written."""
        self._is_over.set()
        self._thread.join()


class Reading:
    """Reads live answers in a loop, and notes the versions seen and whatever is wrong with one."""

    def __init__(self, folder: Path, problem_of: Callable[[duckdb.DuckDBPyConnection], object]):
        self.versions: set[str] = set()
        self._problem_of = problem_of
        self.wrong: list[object] = []
        self._folder, self._is_over = folder, threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._is_over.wait(0.02):
            try:
                self._look()
            except PublishError as error:
                if self.versions or "nothing is published" not in str(error):
                    self.wrong.append(error)
            except Exception as error:  # told by the assertion of the test
                self.wrong.append(error)

    def _look(self) -> None:
        with live(self._folder) as snapshot, open_views(snapshot, "500MB") as connection:
            for table in snapshot.manifest["tables"]:
                content = (snapshot.folder / table["file"]).read_bytes()
                if hashlib.sha256(content).hexdigest() != table["sha256"]:
                    self.wrong.append(table)
            if problem := self._problem_of(connection):
                self.wrong.append(problem)
            self.versions.add(snapshot.version)

    def stop(self) -> None:
        """End."""
        self._is_over.set()
        self._thread.join()


def stream(place: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "wardhouse.cli", "stream", "--feed", FEED, "--every", "0.2"]
    command += ["--raw-dir", str(place / "raw"), "--directory", str(place / "source")]
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "scripts"),
        "WARDHOUSE_DB": str(place / "wardhouse.duckdb"),
        "WARDHOUSE_EXPORT_DIR": str(place / "exports"),
        "WARDHOUSE_PUBLISH_DIR": str(place / "published"),
        "DBT_TARGET_PATH": str(place / "target"),
        "DBT_LOG_PATH": str(place / "logs"),
    }
    with (place / "stream.log").open("ab") as log:
        command += ["--max-seconds", "0.1", *options]
        return subprocess.Popen(command, env=environment, cwd=PROJECT, stdout=log, stderr=log)


@contextmanager
def killed(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """Give a process, and kill it in the end, whatever happens."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def costs_that_differ(connection: duckdb.DuckDBPyConnection) -> object:
    """Return the costs of both marts where they are not of one cycle."""
    costs = connection.execute(COSTS).fetchall()
    return costs if len(costs) != 1 else None


def hours_that_differ(connection: duckdb.DuckDBPyConnection) -> object:
    """Return what both tables say of now where that differs."""
    now_at, census, hour_at, census_of_hour = connection.execute(QUESTION).fetchone()
    hour = now_at.replace(minute=0, second=0, microsecond=0)
    is_one = (hour, census) == (hour_at, census_of_hour)
    return None if is_one else (now_at, census, hour_at, census_of_hour)


def left(folder: Path) -> list[str]:
    """Name what is in the live folder, versions without their number."""
    return sorted(path.name.rstrip("0123456789") for path in folder.iterdir())


def test_publisher_killed_at_random_moments_leaves_one_cycle(tmp_path):
    clinic = build(write_clinic(tmp_path / "project"), tmp_path, "V1,P1,Ward 1,12.5,")
    place = [str(path) for path in (clinic.database, clinic.dbt_manifest, clinic.folder)]
    chance, states = random.Random(SEED), set()
    reading = Reading(clinic.folder, costs_that_differ)
    try:
        for _ in range(N_KILLS):
            with subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *place], stdout=subprocess.PIPE
            ) as process:
                assert process.stdout.readline() == b"begins\n"
                time.sleep(chance.uniform(0, 0.3))
                process.send_signal(signal.SIGKILL)
            states.add(tuple(left(clinic.folder / "live")))
    finally:
        reading.stop()
    assert reading.wrong == []
    assert len(reading.versions) > N_KILLS / 2
    assert len(states) > 1, "every kill met the same moment"
    nodes = json.loads(clinic.dbt_manifest.read_text())["nodes"]
    with duckdb.connect(str(clinic.database)) as connection:
        publish_live(connection, [nodes["model.wardhouse.size_costs"]], clinic.folder, None)
    assert left(clinic.folder / "live") == ["", ".lock", "current.json"]


def test_reader_never_sees_two_cycles_of_a_stream_that_is_killed(tmp_path):
    folder = tmp_path / "published" / "live"
    feeding = Feeding(tmp_path / "source" / "a.ndjson")
    reading = Reading(tmp_path / "published", hours_that_differ)
    log = tmp_path / "stream.log"
    try:
        with killed(stream(tmp_path)) as process:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while len(reading.versions) < N_CYCLES:
                assert process.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < deadline, log.read_text()[-3000:]
                time.sleep(0.01)
            time.sleep(random.Random(SEED).random())
    finally:
        feeding.stop()
        reading.stop()
    with killed(stream(tmp_path, "--until-end")) as process:
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()[-3000:]
    assert reading.wrong == []
    assert left(folder) == ["", ".lock", "current.json"]
    with live(tmp_path / "published") as snapshot, open_views(snapshot, "1GB") as connection:
        assert connection.execute(QUESTION).fetchone()[1] == feeding.n_sent
