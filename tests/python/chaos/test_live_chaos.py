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
from datetime import UTC, datetime
from pathlib import Path

import pytest
from builds import PROJECT
from wardhouse.publish.read import live, open_views
from wardhouse.publish.versions import PublishError

pytestmark = [pytest.mark.long, pytest.mark.system, pytest.mark.waiting]

N_KILLS = 6
SEED = 11
PATIENCE_SECONDS = 120
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

    def __init__(self, folder: Path):
        self.versions: set[str] = set()
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
            now_at, census, hour_at, census_of_hour = connection.execute(QUESTION).fetchone()
            for table in snapshot.manifest["tables"]:
                content = (snapshot.folder / table["file"]).read_bytes()
                if hashlib.sha256(content).hexdigest() != table["sha256"]:
                    self.wrong.append(table)
            if (now_at.replace(minute=0, second=0, microsecond=0), census) != (
                hour_at,
                census_of_hour,
            ):
                self.wrong.append((now_at, census, hour_at, census_of_hour))
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


def test_reader_never_sees_two_cycles_whatever_is_killed(tmp_path):
    chance = random.Random(SEED)
    folder = tmp_path / "published" / "live"
    feeding, reading = Feeding(tmp_path / "source" / "a.ndjson"), Reading(tmp_path / "published")
    states = set()
    try:
        for _ in range(N_KILLS):
            before = (folder / "current.json").read_text() if folder.exists() else None
            with stream(tmp_path) as process:
                deadline = time.monotonic() + PATIENCE_SECONDS
                # Wait until this process has published, then kill it a random moment later.
                while (
                    not (folder / "current.json").exists()
                    or before == (folder / "current.json").read_text()
                ):
                    assert process.poll() is None, (tmp_path / "stream.log").read_text()[-3000:]
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                time.sleep(chance.random() * 3)
                process.send_signal(signal.SIGKILL)
            states.add(tuple(sorted(path.name.rstrip("0123456789") for path in folder.iterdir())))
    finally:
        feeding.stop()
        reading.stop()
    with stream(tmp_path, "--until-end") as process:
        assert process.wait(PATIENCE_SECONDS) == 0, (tmp_path / "stream.log").read_text()[-3000:]
    assert reading.wrong == []
    assert len(reading.versions) > N_KILLS
    left = sorted(path.name for path in folder.iterdir())
    assert left[:2] == [".lock", left[1]]
    assert len(left) == 3
    with live(tmp_path / "published") as snapshot, open_views(snapshot, "1GB") as connection:
        assert connection.execute(QUESTION).fetchone()[1] == feeding.n_sent
