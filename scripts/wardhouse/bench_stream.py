"""`wardhouse bench stream`: how fast a stream lands, how soon it is modelled, what a cycle costs.

Three parts, each of fresh processes: the rate of ingest against a bare consumer of the same topic;
the time from an event to the star while a simulated hospital runs; and the cost of one cycle with a
short and with a long history behind it.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wardhouse.bench import (
    NO_TESTS,
    SCRIPTS,
    ContenderError,
    Measurement,
    describe_machine,
    kept_or_temporary,
    run_measured,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AREA, FEED_NAME = "patient_flow", "patient_events"
FEED = f"{AREA}.{FEED_NAME}"
PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "pyarrow", "confluent-kafka")
PARTS = ("ingest", "latency", "cycles")
PARTITIONS = 4
WARM_UP_CYCLES = 2
CYCLE_EVENTS = 500  # of five seconds at 100 a second
STARTING_SECONDS = 900  # at most, for the first build of a stream
STOPPING_SECONDS = 300
BUILT = "built in "  # how `wardhouse stream` begins to tell of a build
MINIMUM_INGEST_RATIO = 0.7
MAXIMUM_LATENCY = 15.0  # seconds
MAXIMUM_CYCLE_RATIO = 1.5


@dataclass(frozen=True)
class Rates:
    """Messages a second of each round, in the order of the rounds."""

    ingest: list[float]
    bare: list[float]

    @property
    def ratio(self) -> float:
        """The median rate of ingest over that of the bare consumer."""
        return median(self.ingest) / median(self.bare)


@dataclass(frozen=True)
class Latency:
    """From an event's time to the end of the first cycle that has it in the star, in seconds.

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
class _Place:
    """A folder with a raw directory and a warehouse of its own."""

    folder: Path
    project: Path

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def landing(self) -> Path:
        return self.raw / AREA / FEED_NAME

    @property
    def database(self) -> Path:
        return self.folder / "wardhouse.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "WARDHOUSE_RAW_DIR": str(self.raw),
            "WARDHOUSE_AREAS": AREA,
            "WARDHOUSE_DB": str(self.database),
            "WARDHOUSE_EXPORT_DIR": str(self.folder / "exports"),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
        }

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
        log = self.folder / f"{name}.log"
        return run_measured(name, command, log, self.project, self.environment)


@contextmanager
def _new_topic(bootstrap: str) -> Iterator[str]:
    """Make a topic, and delete it in the end."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic

    from wardhouse.kafka_settings import kafka_settings

    settings = {**kafka_settings(os.environ), "bootstrap.servers": bootstrap}
    admin = AdminClient({**settings, "log_level": 0})
    name = f"wardhouse-bench-{secrets.token_hex(4)}"
    try:
        admin.create_topics([NewTopic(name, PARTITIONS)])[name].result(30)
    except KafkaException as error:
        raise ContenderError(f"Kafka at {bootstrap}: {error.args[0].str()}") from None
    try:
        yield name
    finally:
        with suppress(KafkaException):
            admin.delete_topics([name])[name].result(30)


def measure_ingest(bench: StreamBench, bootstrap: str, tell: Callable[[str], None]) -> Rates:
    """Land a topic and write it by hand, by turns.

    Parameters
    ----------
    bench
        Where, and how much.
    bootstrap
        `host:port` of the broker.
    tell
        Called with a line before each step.

    Raises
    ------
    ContenderError
        If a process fails, or somebody got other messages than were sent.
    """
    place = _Place(bench.place / "ingest", bench.project)
    place.folder.mkdir()
    rates: dict[str, list[float]] = {"ingest_script": [], "kafka_script": []}
    with _new_topic(bootstrap) as topic:
        tell(f"ingest: sending {bench.n_events:,} events")
        words = ("--kafka", bootstrap, "--topic", topic, "--speed", "0")
        place.run("simulate", *_simulate(bench, bench.n_events), *words)
        for number in range(bench.rounds):
            # Whoever is first does not always find the machine as the other left it.
            for script in sorted(rates, reverse=number % 2 == 1):
                tell(f"ingest: round {number + 1}, {script}")
                name = f"{script}-{number}"
                answer = place.script(name, bootstrap, topic)
                if answer["n_records"] != bench.n_events:
                    raise ContenderError(
                        f"{script} got {answer['n_records']:,} of {bench.n_events:,} messages"
                    )
                rates[script].append(answer["n_records"] / answer["seconds"])
    return Rates(rates["ingest_script"], rates["kafka_script"])


def _simulate(bench: StreamBench, count: int) -> list[str]:
    """Name a command that tells so many events, at the rate of a day of theirs."""
    # Longer than they last: an arrival process has no exact number of arrivals.
    duration = f"{int(1.5 * count) + 86400}s"
    options = ["--count", str(count), "--rate", "1", "--duration", duration]
    return ["simulate", "patient-flow", *options, "--seed", str(bench.seed)]


def measure_latency(bench: StreamBench, bootstrap: str, tell: Callable[[str], None]) -> Latency:
    """Stream a live simulation, and ask of every event when a build had it in the star.

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
        If a process fails, or events are missing in the star in the end.
    """
    place = _Place(bench.place / "latency", bench.project)
    place.folder.mkdir()
    with _new_topic(bootstrap) as topic:
        target = ("--kafka", bootstrap, "--topic", topic)
        rate = ("--rate", str(bench.rate), "--duration", f"{int(bench.seconds) + 300}s")
        # Dirt would add what producers tell late, or of no time at all.
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
                streaming.stop()  # builds once more what has landed
                built += streaming.builds()
    return read_latency(place.database, began, until, built)


class _Running:
    """A command of wardhouse that runs beside this process, and is stopped as a user would."""

    def __init__(self, place: _Place, name: str, *command: str | Path):
        self._name = name
        self._builds: queue.Queue[float | None] = queue.Queue()
        self._said: list[str] = []
        self._process = subprocess.Popen(
            [str(word) for word in (sys.executable, "-m", "wardhouse.cli", *command)],
            cwd=place.project,
            env={**os.environ, **place.environment},
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
        If an accepted event is not in the star, or none happened while it was watched.
    """
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        [n_missing] = connection.execute("""
            select count(*)
            from staging.base_patient_flow__patient_events as events
            anti join core.fct_patient_stays using (patient_stay_key)
            where events.rejection_reason is null and not events.is_duplicate
        """).fetchone()
        if n_missing:
            raise ContenderError(f"{n_missing:,} events are not in the star")
        # What a build loads is in the star when that build ends.
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
    place = _Place(bench.place / f"history-{n_events}", bench.project)
    events, rest = place.folder / "events", place.folder / "rest.ndjson"
    n_cycles = WARM_UP_CYCLES + bench.cycles
    n_more = n_cycles * CYCLE_EVENTS
    tell(f"cycles: simulating {n_events:,} events")
    place.run("simulate", *_simulate(bench, n_events + n_more), "--out", events)
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


def _chosen(only: list[str] | None) -> list[str]:
    unknown = sorted(set(only or ()) - set(PARTS))
    if unknown:
        raise typer.BadParameter(f"no part is called {', '.join(unknown)}; {', '.join(PARTS)} are")
    return [part for part in PARTS if part in (only or PARTS)]


@contextmanager
def _broker(bootstrap: str | None, place: Path) -> Iterator[str]:
    """Give the user's broker, or one of its own."""
    if bootstrap:
        yield bootstrap
        return
    from wardhouse.local_kafka import UnavailableError, running_broker

    folder = place / "kafka"
    folder.mkdir()
    try:
        with running_broker(folder) as broker:
            yield broker.bootstrap
    except UnavailableError as error:
        raise ContenderError(f"{error}; give --bootstrap for a broker of yours") from None


def stream_bench_command(
    bootstrap: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Your Kafka broker. By default one is fetched with Maven and run on this machine.",
        ),
    ] = None,
    events: Annotated[
        int, typer.Option(min=1000, help="How many events are ingested in one go.")
    ] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each side does so.")] = 3,
    rate: Annotated[float, typer.Option(min=1, help="Live events a second.")] = 100,
    seconds: Annotated[
        float, typer.Option(min=5, help="How long the live stream is watched.")
    ] = 120,
    short_history: Annotated[
        int, typer.Option(min=1000, help="Events before the cycles that others are held against.")
    ] = 100_000,
    long_history: Annotated[
        int, typer.Option(min=1000, help="Events before the cycles that must cost no more.")
    ] = 10_000_000,
    batch: Annotated[
        int, typer.Option(min=100, help="Events in a micro-batch of the histories.")
    ] = 5000,
    cycles: Annotated[int, typer.Option(min=1, help="Cycles measured on each history.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the simulated events.")] = 20250101,
    keep: Annotated[
        Path | None, typer.Option(help="New folder to keep data and outputs in.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PART", help=f"One of {', '.join(PARTS)}.")
    ] = None,
) -> None:
    """Measure how fast a stream lands, how soon it is in the star, and what a cycle costs."""
    from rich.console import Console

    from wardhouse.inspection import project_directory

    console = Console()
    parts = _chosen(only)
    rates = latency = histories = None
    with kept_or_temporary(keep) as place, console.status("starting") as status:
        bench = StreamBench(
            place,
            project_directory(),
            events,
            rounds,
            rate,
            seconds,
            (short_history, long_history),
            batch,
            cycles,
            seed,
        )
        try:
            if {"ingest", "latency"} & set(parts):
                status.update("starting Kafka")
                with _broker(bootstrap, place) as address:
                    if "ingest" in parts:
                        rates = measure_ingest(bench, address, status.update)
                    if "latency" in parts:
                        latency = measure_latency(bench, address, status.update)
            if "cycles" in parts:
                histories = [
                    measure_history(bench, length, status.update) for length in bench.histories
                ]
        except (ContenderError, queue.Empty) as error:
            reason = str(error) or "the first build took too long"
            console.print(reason, style="red", markup=False)
            raise typer.Exit(1) from None
    if rates or latency or histories:
        _print_verdicts(console, verdicts(rates, latency, histories))
    for line in details(rates, latency, histories):
        console.print(line, markup=False, highlight=False)
    console.print(describe_machine(PACKAGES), markup=False, highlight=False)


@dataclass(frozen=True)
class Verdict:
    """A figure with its target: at least or at most so much."""

    name: str
    figure: float
    target: float
    is_floor: bool = False
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the figure is on the right side of its target."""
        return self.figure >= self.target if self.is_floor else self.figure <= self.target


def verdicts(
    rates: Rates | None, latency: Latency | None, histories: list[History] | None
) -> list[Verdict]:
    """Hold what was measured against the targets."""
    found = []
    if rates:
        name = "ingest / bare consumer, messages a second"
        found.append(Verdict(name, rates.ratio, MINIMUM_INGEST_RATIO, is_floor=True))
    if latency:
        for name, seconds in (("median", latency.half), ("95th percentile", latency.p95)):
            found.append(Verdict(f"event to star, {name}", seconds, MAXIMUM_LATENCY, unit=" s"))
    if histories:
        short, long = histories
        ratio = median(long.cpu) / median(short.cpu)
        name = f"CPU of a cycle, {long.n_events:,} / {short.n_events:,} events before"
        found.append(Verdict(name, ratio, MAXIMUM_CYCLE_RATIO))
    return found


def _print_verdicts(console: Any, found: list[Verdict]) -> None:
    from rich.table import Table

    table = Table("measure")
    for heading in ("figure", "target", "met"):
        table.add_column(heading, justify="right")
    for each in found:
        target = f"{'at least' if each.is_floor else 'at most'} {each.target:g}{each.unit}"
        met, style = ("yes", "green") if each.is_met else ("no", "red")
        table.add_row(each.name, f"{each.figure:.2f}{each.unit}", target, met, style=style)
    console.print(table)


def details(
    rates: Rates | None, latency: Latency | None, histories: list[History] | None
) -> list[str]:
    """Say in lines what the figures are made of."""
    lines = []
    if rates:
        for name, each in (("ingest", rates.ingest), ("bare consumer", rates.bare)):
            rounds = ", ".join(f"{rate:,.0f}" for rate in each)
            lines.append(f"{name}: {median(each):,.0f} messages a second ({rounds})")
    if latency:
        lines.append(
            f"live: {latency.n_events:,} events, {latency.rate:,.0f} a second, in "
            f"{latency.n_cycles} cycles; the slowest event took {latency.most:.1f} s. The first "
            f"build, of the whole area, ended after {latency.first_build:.1f} s; "
            f"{latency.n_waited:,} events waited for it"
        )
    for each in histories or ():
        lines.append(
            f"{each.n_events:,} events in {each.n_files:,} files: built in {each.build.wall:.0f} s "
            f"with {each.build.cpu:.0f} CPU s and {each.build.peak:,.0f} MB, database "
            f"{each.database_mb:,.0f} MB; a cycle takes {median(each.cpu):.2f} CPU s "
            f"({min(each.cpu):.2f} to {max(each.cpu):.2f}), {median(each.wall):.2f} s of time"
        )
    return lines
