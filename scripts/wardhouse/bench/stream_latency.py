"""How soon an event is in core."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wardhouse.bench.measure import ContenderError
from wardhouse.bench.stream_place import FEED, Place, StreamBench
from wardhouse.bench.stream_rate import _new_topic
from wardhouse.settings import child_environment
from wardhouse.warehouse import open_to_read

if TYPE_CHECKING:
    from collections.abc import Callable

STARTING_SECONDS = 900  # at most, for the first build of a stream
STOPPING_SECONDS = 300
BUILT = "built in "  # how `wardhouse stream` begins to report a build


@dataclass(frozen=True)
class Latency:
    """From an event's time to the end of the first cycle that has it in core, in seconds.

    `n_events`, `half` (the median), `p95` and `most` are of events that happened after the first
    build had ended; `n_waited` earlier ones waited for it, which took until `first_build` seconds
    after the stream was started. `rate` is events a second, `n_cycles` counts later builds.
    """

    first_build: float
    n_waited: int
    n_events: int
    rate: float
    n_cycles: int
    half: float
    p95: float
    most: float


def measure_latency(bench: StreamBench, bootstrap: str, tell: Callable[[str], None]) -> Latency:
    """Stream a live simulation, and ask of every event when a build had it in core.

    Parameters
    ----------
    bench
        Where, at which rate and for how long.
    bootstrap
        `host:port` of the broker.
    tell
        Called with a line before each step.

    Raises
    ------
    ContenderError
        If a process fails, or events are missing in core in the end.
    """
    place = Place(bench.place / "latency", bench.project)
    place.folder.mkdir()
    with _new_topic(bootstrap) as topic:
        target = ("--kafka", bootstrap, "--topic", topic)
        rate = ("--rate", str(bench.rate), "--duration", f"{int(bench.seconds) + 300}s")
        # Dirt would add what producers send late, or of no time at all.
        producer = ("simulate", "patient-flow", *target, *rate, "--dirt", "0", "--older", "0")
        source = ("--bootstrap", bootstrap, "--topic", topic)
        stream = ("stream", "--feed", FEED, "--raw-dir", place.raw, *source)
        with _Running(place, "simulate", *producer, "--speed", "1"):
            tell("latency: the first build")
            began = time.time()
            with _Running(place, "stream", *stream) as streaming:
                first = streaming.next_build(STARTING_SECONDS)
                tell(f"latency: {bench.seconds:,.0f} s at {bench.rate:,.0f} events a second")
                until = time.time() + bench.seconds
                built = [first]
                while (remaining := until - time.time()) > 0:
                    with suppress(queue.Empty):
                        built.append(streaming.next_build(remaining))
                # The next build may have begun before the last event; the one after it has it. What
                # is stopped has no time to.
                built += [streaming.next_build(STARTING_SECONDS) for _ in range(2)]
                streaming.stop()
                built += streaming.builds()
    return read_latency(place.database, began, until, built)


class _Running:
    """A command of wardhouse that runs beside this process, and is stopped as a user would."""

    def __init__(self, place: Place, name: str, *command: str | Path):
        self._name = name
        self._builds: queue.Queue[float | None] = queue.Queue()
        self._said: list[str] = []
        self._process = subprocess.Popen(
            [str(word) for word in (sys.executable, "-m", "wardhouse.cli", *command)],
            cwd=place.project,
            env=child_environment(**place.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> _Running:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listener.join()
        self._process.stderr.close()

    def _listen(self) -> None:
        for line in self._process.stderr:
            if line.startswith(BUILT):
                self._builds.put(time.time())
            self._said.append(line)
        self._builds.put(None)

    def next_build(self, seconds: float) -> float:
        """Wait for a build to end, and return when it did (seconds since 1970).

        Raises
        ------
        queue.Empty
            When none did in so many seconds.
        ContenderError
            When the process ended.
        """
        ended_at = self._builds.get(timeout=seconds)
        if ended_at is None:
            raise ContenderError(f"{self._name} ended early:\n{''.join(self._said[-15:])}")
        return ended_at

    def stop(self) -> None:
        """End it in good order."""
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(STOPPING_SECONDS):
            raise ContenderError(f"{self._name} failed:\n{''.join(self._said[-15:])}")
        self._listener.join()

    def builds(self) -> list[float]:
        """Return when builds ended that nobody has waited for; the process has ended."""
        return list(iter(self._builds.get, None))


def read_latency(database: Path, began: float, until: float, built: list[float]) -> Latency:
    """Hold what a warehouse says of when events were loaded against the ends of its builds.

    Parameters
    ----------
    database
        The warehouse.
    began, until
        When the stream was started, and when watching it ended (seconds since 1970).
    built
        When each build ended, in order.

    Raises
    ------
    ContenderError
        If an accepted event that a build loaded is not in core, or none happened while it was
        watched.
    """
    with open_to_read(database) as connection:
        [n_missing] = connection.execute(
            """
            select count(*)
            from staging.base_patient_flow__patient_events as events
            inner join landing.landed_files as files using (source_file)
            anti join core.fct_patient_stays using (patient_stay_key)
            where
                events.rejection_reason is null and not events.is_duplicate
                and epoch(files.landed_at) <= ?
            """,
            [built[-1]],
        ).fetchone()
        if n_missing:
            raise ContenderError(f"{n_missing:,} events are not in core")
        # What a build loads is in core when that build ends.
        n_waited, n_events, half, p95, most = connection.execute(
            """
            with builds as (
                select unnest(?::double[]) as ended_at
            ),

            events as (
                select
                    epoch(events.event_time) as happened_at,
                    epoch(files.landed_at) as loaded_at
                from staging.base_patient_flow__patient_events as events
                inner join landing.landed_files as files using (source_file)
                where not events.is_duplicate and epoch(events.event_time) < ?
            ),

            delays as (
                select
                    happened_at >= ? as is_steady,
                    builds.ended_at - happened_at as seconds
                from events
                asof join builds on events.loaded_at <= builds.ended_at
            )

            select
                count(*) filter (not is_steady),
                count(*) filter (is_steady),
                quantile_cont(seconds, 0.5) filter (is_steady),
                quantile_cont(seconds, 0.95) filter (is_steady),
                max(seconds) filter (is_steady)
            from delays
            """,
            [built, until, built[0]],
        ).fetchone()
    if not n_events:
        raise ContenderError("no event came after the first build: give more --seconds")
    seconds = until - built[0]
    counts = (built[0] - began, n_waited, n_events, n_events / seconds, len(built) - 1)
    return Latency(*counts, half, p95, most)
