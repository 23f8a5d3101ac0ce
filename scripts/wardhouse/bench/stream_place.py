"""The settings of a stream benchmark, and the places it works in."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wardhouse.bench.hospital import SCRIPTS
from wardhouse.bench.measure import Measurement, run_measured, warehouse_environment

AREA, FEED_NAME = "patient_flow", "patient_events"
FEED = f"{AREA}.{FEED_NAME}"
PARTITIONS = 4


@dataclass(frozen=True)
class StreamBench:
    """One run: where its data and outputs are, the dbt project, and how much is measured."""

    place: Path
    project: Path
    n_events: int
    rounds: int
    rate: float
    seconds: float
    histories: tuple[int, int]
    batch: int
    cycles: int
    seed: int


@dataclass(frozen=True)
class Place:
    """A folder with a raw directory and a warehouse of its own."""

    folder: Path
    project: Path

    @property
    def raw(self) -> Path:
        """The raw directory that is streamed into."""
        return self.folder / "raw"

    @property
    def landing(self) -> Path:
        """The folder of the feed in it."""
        return self.raw / AREA / FEED_NAME

    @property
    def database(self) -> Path:
        """The warehouse."""
        return self.folder / "wardhouse.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """What is set on top of this process's environment."""
        return warehouse_environment(self.folder, self.raw, AREA)

    def run(self, name: str, *command: str | Path) -> Measurement:
        """Run a command of wardhouse in a process of its own."""
        words = [sys.executable, "-m", "wardhouse.cli", *command]
        return self.measure(name, words)

    def script(self, name: str, *arguments: str | Path) -> dict[str, Any]:
        """Run one of the scripts, which ends with the folder to write into; return its answer."""
        out = self.folder / name
        out.mkdir()
        script = SCRIPTS / f"{name.partition('-')[0]}.py"
        self.measure(name, [sys.executable, script, *arguments, out])
        return json.loads((out / "answer.json").read_text())

    def measure(self, name: str, command: list[str | Path]) -> Measurement:
        """Run a command in the project and measure it; its output goes to `<name>.log`."""
        log = self.folder / f"{name}.log"
        return run_measured(name, command, log, self.project, self.environment)


def simulate_arguments(bench: StreamBench, count: int) -> list[str]:
    """Name a command that sends so many events, at the rate of a day of theirs."""
    # Longer than they last: an arrival process has no exact number of arrivals.
    duration = f"{int(1.5 * count) + 86400}s"
    options = ["--count", str(count), "--rate", "1", "--duration", duration]
    return ["simulate", "patient-flow", *options, "--seed", str(bench.seed)]
