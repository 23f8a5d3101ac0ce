"""What a cycle costs after a short and after a long history."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wardhouse.bench.hospital import NO_TESTS
from wardhouse.bench.measure import Measurement
from wardhouse.bench.stream_place import (
    AREA,
    FEED,
    FEED_NAME,
    Place,
    StreamBench,
    simulate_arguments,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UP_CYCLES = 2
CYCLE_EVENTS = 500  # of five seconds at 100 a second


@dataclass(frozen=True)
class History:
    """A warehouse with so many events, and what cycles on it cost.

    `cpu` and `wall` are seconds of each measured cycle; `database_mb` and `n_files` are of the time
    before them.
    """

    n_events: int
    build: Measurement
    database_mb: float
    n_files: int
    cpu: list[float]
    wall: list[float]


def measure_history(bench: StreamBench, n_events: int, tell: Callable[[str], None]) -> History:
    """Land and build a history, then measure cycles that add to it.

    Parameters
    ----------
    bench
        Where.
    n_events
        Length of the history; whatever the length, as many happen in a second.
    tell
        Called with a line before each step.

    Raises
    ------
    ContenderError
        If a process fails.
    """
    place = Place(bench.place / f"history-{n_events}", bench.project)
    events, rest = place.folder / "events", place.folder / "rest.ndjson"
    n_cycles = WARM_UP_CYCLES + bench.cycles
    n_more = n_cycles * CYCLE_EVENTS
    tell(f"cycles: simulating {n_events:,} events")
    place.run("simulate", *simulate_arguments(bench, n_events + n_more), "--out", events)
    told = events / AREA / FEED_NAME
    hold_back(told, n_more, rest)
    tell(f"cycles: landing {n_events:,} events")
    options = ("--feed", FEED, "--raw-dir", place.raw)
    source = ("--directory", told, "--until-end", "--no-compact")
    place.run("ingest", "ingest", *options, *source, "--max-messages", str(bench.batch))
    for name in ("merge", "delete"):  # a round deletes what an earlier one has merged
        place.run(name, "compact", *options, "--after", "0", "--grace", "0")
    n_files = sum(1 for path in place.landing.iterdir() if not path.name.startswith("."))
    tell(f"cycles: building {n_events:,} events")
    dbt = [Path(sys.executable).with_name("dbt"), "--quiet", "build", "--selector", AREA]
    build = place.measure("build", [*dbt, *NO_TESTS])
    megabytes = place.database.stat().st_size / 2**20
    tell(f"cycles: {n_cycles} on {n_events:,} events")
    words = (bench.project, place.raw, rest, str(CYCLE_EVENTS))
    cycles = place.script("cycles_script", *words)["cycles"][WARM_UP_CYCLES:]
    cpu, wall = ([cycle[clock] for cycle in cycles] for clock in ("cpu", "wall"))
    return History(n_events, build, megabytes, n_files, cpu, wall)


def hold_back(folder: Path, n_lines: int, rest: Path) -> None:
    """Cut the last lines off the files of a folder, in the order of their names.

    Parameters
    ----------
    folder
        Of `.ndjson` files that hold at least so many lines; a file left without any goes.
    n_lines
        How many lines.
    rest
        New file that takes them.
    """
    held: list[bytes] = []
    for path in sorted(folder.glob("*.ndjson"), reverse=True):
        with path.open("rb") as file:
            held = file.readlines() + held
        if len(held) >= n_lines:
            break
        path.unlink()
    path.write_bytes(b"".join(held[:-n_lines]))
    rest.write_bytes(b"".join(held[-n_lines:]))
