"""Ingest and build in one process: what arrives is in the star some seconds later.

A thread lands the stream (`wardhouse.ingest`); beside it dbt builds, in this process with a
manifest that is parsed once, the models that the stream feeds. Either may be killed at any moment:
what has landed is on disk, and a build is taken in as a whole or not at all.
"""

from __future__ import annotations

import math
import os
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wardhouse.compaction import Policy
from wardhouse.ingest import (
    AcceptGapOption,
    BootstrapOption,
    CompactAfterOption,
    CompactGraceOption,
    CompactOption,
    DirectoryOption,
    FeedOption,
    FormatOption,
    GroupOption,
    Ingest,
    Limits,
    MaxMessagesOption,
    MaxSecondsOption,
    Metrics,
    MetricsAddressOption,
    MetricsPortOption,
    NameOption,
    RawDirOption,
    TopicOption,
    UntilEndOption,
    errors_told,
    feed_folder,
    open_source,
    serve_metrics,
    stopped_by_signals,
    tell_problem,
)
from wardhouse.stream_batches import StreamError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY_SECONDS = 5.0
WHOLE_EVERY_SECONDS = 3600.0
POLL_SECONDS = 0.2
TOLD_AGAIN_SECONDS = 60.0
LAST_TRIES = 3  # of the last build: another process may have the database just then


@dataclass(frozen=True)
class Cycle:
    """One build: when it ended (seconds since 1970), how long it took, and what it left.

    `newest_event_at` is the newest event in the star (seconds since 1970), or None where there is
    none. `error` is empty where the build succeeded.
    """

    ended_at: float
    seconds: float
    newest_event_at: float | None
    error: str

    @property
    def age_seconds(self) -> float | None:
        """How old the newest event in the star was when the build ended."""
        return None if self.newest_event_at is None else self.ended_at - self.newest_event_at


class Builder:
    """Builds parts of the project again and again in this process.

    Parameters
    ----------
    project_dir
        Folder of `dbt_project.yml` and `profiles.yml`.
    area
        The area whose star is asked for its newest event.

    Notes
    -----
    Places come from the environment, as with `dbt build`. The database is let go of after every
    build, so that others can read it in between.
    """

    def __init__(self, project_dir: Path, area: str):
        self._places = ["--project-dir", str(project_dir), "--profiles-dir", str(project_dir)]
        self._area = area
        self._manifest: Any = None

    def build(self, selection: str) -> Cycle:
        """Build a whole area, or what one feed changes.

        Parameters
        ----------
        selection
            Name of an area, or of a feed as `<area>.<feed>`.

        Returns
        -------
        Cycle
            A failed build is told in `error`; it changed nothing that it did not finish.
        """
        began = time.monotonic()
        try:
            error = self._invoke(
                ["build", *selected(selection), "--no-write-json", "--log-level-file", "none"]
            )
            newest = None if error else self._newest_event_at()
        finally:
            let_go_of_database()
        return Cycle(time.time(), time.monotonic() - began, newest, error)

    def _invoke(self, arguments: list[str]) -> str:
        from dbt.cli.main import dbtRunner

        if self._manifest is None:
            parsed = dbtRunner().invoke(["--log-level", "none", "parse", *self._places])
            if not parsed.success:
                return str(parsed.exception)
            self._manifest = parsed.result
        # Its error is told by the result; dbt would print every exception that led to it.
        result = dbtRunner(manifest=self._manifest).invoke(
            ["--log-level", "none", *arguments, *self._places]
        )
        failed = [
            f"{node.node.name}: {node.message}"
            for node in getattr(result.result, "results", None) or []
            if str(node.status) in ("error", "fail", "runtime error")
        ]
        if result.success:
            return ""
        return "; ".join(failed) or str(result.exception)

    def _newest_event_at(self) -> float | None:
        """Ask the facts that name the clock of their events (`meta.event_clock`).

        By the connection of the build, for another process may take the database right after it.
        An event that a clock running ahead has stamped with a time to come tells nothing of age.
        """
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        # Ordered, what is far from the newest is not looked at.
        clocks = [
            f"(select {clock['column']} as newest_at from {node.schema}.{node.name} "  # noqa: S608 - the project's own names
            f"where {clock['column']} <= current_timestamp::timestamp "
            "order by newest_at desc limit 1)"
            for node in self._manifest.nodes.values()
            if (clock := node.config.meta.get("event_clock")) and clock["area"] == self._area
        ]
        if not clocks:
            return None
        union = " union all ".join(clocks)
        with closing(DuckDBConnectionManager.env().handle()) as handle:
            newest = f"select epoch(max(newest_at)) from ({union})"  # noqa: S608
            return handle.cursor().execute(newest).fetchone()[0]


def selected(selection: str) -> list[str]:
    """Give dbt's arguments for an area or for one cycle of a feed.

    A cycle builds what reads a feed by what changed: its base model, and of all that is built from
    it the tables that are made again by key. No tests: constraints hold while loading.
    """
    if "." not in selection:
        return ["--selector", selection]
    base = "base_" + selection.replace(".", "__")
    selection = f"{base} {base}+,config.materialized:incremental_by_key"
    without = "--exclude-resource-types test unit_test"
    return ["--select", *selection.split(), *without.split(), "--vars", "{is_stream_cycle: true}"]


def let_go_of_database() -> None:
    """Close the database that dbt has open in this process, after every dbt command.

    dbt-duckdb only forgets its connection and leaves the closing to Python. A build that met
    another process at the database may leave an exception whose frames hold the connection until
    garbage is collected: meanwhile others would find the database locked, and the next build here
    would find the functions of `wardhouse.dbt_plugin` there already.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
    DuckDBConnectionManager.close_all_connections()


class Stream:
    """Lands a stream and builds from it until told to stop.

    Parameters
    ----------
    ingest
        Entered and left by a thread of this object.
    builder
        Builds in the calling thread.
    area
        Area of the feed.
    every_seconds
        From the beginning of one build to the beginning of the next; nothing is built while
        nothing landed.
    whole_every_seconds
        After so long a build makes the whole area again, with its tests; the others only what the
        stream feeds.
    on_cycle
        Told of every build.
    """

    def __init__(
        self,
        ingest: Ingest,
        builder: Builder,
        area: str,
        every_seconds: float,
        whole_every_seconds: float,
        on_cycle: Callable[[Cycle], None],
    ):
        self._ingest = ingest
        self._builder = builder
        self._area = area
        self._every_seconds = every_seconds
        self._whole_every_seconds = whole_every_seconds
        self._on_cycle = on_cycle
        self._stopped = threading.Event()
        self._failure: BaseException | None = None

    def stop(self) -> None:
        """End after the build that is running, with one more for what landed meanwhile."""
        self._stopped.set()
        self._ingest.stop()

    def run(self, has_landed: Callable[[], bool], until_end: bool = False) -> Cycle | None:
        """Land and build.

        Parameters
        ----------
        has_landed
            Whether the feed's folder holds anything: before, there is nothing to build.
        until_end
            End when all that was there at the start has landed and is built.

        Returns
        -------
        Cycle or None
            The last build, or None where nothing was there to build.

        Raises
        ------
        Exception
            Whatever ended the ingest, a StreamError where the stream cannot go on. What has landed
            until then is built.
        """
        landing = threading.Thread(target=self._land, args=(until_end,), name="ingest")
        landing.start()
        built, whole_at, cycle, n_tries = -1, -math.inf, None, LAST_TRIES
        try:
            while n_tries:
                is_last = not landing.is_alive()
                n_landed = self._ingest.counts.n_batches
                began = time.monotonic()
                if has_landed() and (n_landed != built or cycle.error):
                    is_whole = began >= whole_at + self._whole_every_seconds
                    cycle = self._builder.build(self._area if is_whole else self._ingest.feed)
                    self._on_cycle(cycle)
                    if not cycle.error:
                        built, whole_at = n_landed, began if is_whole else whole_at
                if is_last:
                    n_tries = n_tries - 1 if cycle and cycle.error else 0
                if n_tries:
                    self._wait(landing, began + self._every_seconds)
        finally:
            self.stop()
            landing.join()
        if self._failure:
            raise self._failure
        return cycle

    def _wait(self, landing: threading.Thread, until: float) -> None:
        has_ended = not landing.is_alive()  # then it waits to try the last build again
        while time.monotonic() < until:
            if not has_ended and (self._stopped.is_set() or not landing.is_alive()):
                break
            time.sleep(POLL_SECONDS)
        if self._stopped.is_set():
            landing.join()

    def _land(self, until_end: bool) -> None:
        try:
            with self._ingest:
                self._ingest.run(until_end)
        except BaseException as error:  # for the other thread, which ends by it
            self._failure = error


class CycleMetrics:
    """Prometheus metrics of the builds, beside those of the ingest.

    Parameters
    ----------
    metrics
        The ingest's; its registry is shared.
    """

    def __init__(self, metrics: Metrics):
        from prometheus_client import Counter, Gauge

        common = {"registry": metrics.registry}
        self._builds = Counter("wardhouse_stream_builds", "Builds.", ["outcome"], **common)
        self._seconds = Gauge("wardhouse_stream_build_seconds", "Time of the last build.", **common)
        self._newest = Gauge(
            "wardhouse_stream_newest_event_timestamp_seconds",
            "The newest event in the star.",
            **common,
        )

    def count(self, cycle: Cycle) -> None:
        """Take in one build."""
        self._builds.labels("failed" if cycle.error else "succeeded").inc()
        self._seconds.set(cycle.seconds)
        if cycle.newest_event_at is not None:
            self._newest.set(cycle.newest_event_at)


class ToldOnce:
    """Remembers what was told, for a build that fails every few seconds fails for one reason."""

    def __init__(self, again_seconds: float = TOLD_AGAIN_SECONDS):
        self._again_seconds = again_seconds
        self._told, self._told_at = "", -math.inf

    def is_news(self, error: str) -> bool:
        """Tell whether an error is another one than before, or was told long ago."""
        now = time.monotonic()
        is_news = error != self._told or now > self._told_at + self._again_seconds
        if is_news:
            self._told, self._told_at = error, now
        return is_news and bool(error)


def stream_command(
    feed: FeedOption,
    raw_dir: RawDirOption,
    every: Annotated[
        float, typer.Option(min=0, help="Seconds from the beginning of one build to the next.")
    ] = EVERY_SECONDS,
    whole_every: Annotated[
        float, typer.Option(min=0, help="Seconds from one build of the whole area to the next.")
    ] = WHOLE_EVERY_SECONDS,
    bootstrap: BootstrapOption = None,
    topic: TopicOption = None,
    directory: DirectoryOption = None,
    file_format: FormatOption = "parquet",
    max_messages: MaxMessagesOption = Limits.max_records,
    max_seconds: MaxSecondsOption = Limits.max_seconds,
    until_end: UntilEndOption = False,
    group: GroupOption = None,
    name: NameOption = None,
    accept_gap: AcceptGapOption = False,
    metrics_port: MetricsPortOption = 0,
    metrics_address: MetricsAddressOption = "127.0.0.1",
    compact: CompactOption = True,
    compact_after: CompactAfterOption = Policy.min_age_seconds,
    compact_grace: CompactGraceOption = Policy.grace_seconds,
) -> None:
    """Land a stream and build what it feeds, every few seconds, until stopped.

    The first build, and one now and then, makes the feed's whole area with its tests; the others
    make the tables that the stream feeds. Each prints how old the newest event in the star is.
    """
    from rich.console import Console

    from wardhouse.inspection import project_directory

    console = Console(stderr=True)
    with errors_told(console):
        folder = feed_folder(raw_dir, feed)
        area = feed.partition(".")[0]
        _check_chosen(area)
        metrics = serve_metrics(metrics_port, metrics_address)
        counted = CycleMetrics(metrics) if metrics else None
        ingest = Ingest(
            open_source(bootstrap, topic or [], directory, feed, folder, group, name, accept_gap),
            folder,
            feed,
            Limits(max_messages, max_seconds=max_seconds),
            file_format,
            Policy(compact_after, compact_grace) if compact else None,
            metrics,
            lambda message: tell_problem(console, message),
        )

        told = ToldOnce()

        def on_cycle(cycle: Cycle) -> None:
            if counted:
                counted.count(cycle)
            if not cycle.error:
                console.print(_cycle_line(cycle, ingest), soft_wrap=True)
            if told.is_news(cycle.error):
                tell_problem(console, f"build failed, tried again: {cycle.error}", "red")

        os.environ["WARDHOUSE_RAW_DIR"] = str(raw_dir.resolve())
        builder = Builder(project_directory(), area)
        stream = Stream(ingest, builder, area, every, whole_every, on_cycle)
        with stopped_by_signals(stream.stop):
            last = stream.run(lambda: holds_files(folder), until_end)
    if last and last.error:
        raise typer.Exit(1)


def holds_files(folder: Path) -> bool:
    """Tell whether anything has landed in a folder; hidden files are temporary."""
    return any(not path.name.startswith(".") for path in folder.glob("*"))


def _check_chosen(area: str) -> None:
    """Refuse to stream what no build would read."""
    chosen = {name.strip() for name in os.environ.get("WARDHOUSE_AREAS", "").split(",")} - {""}
    if chosen and area not in chosen:
        raise StreamError(
            f"WARDHOUSE_AREAS is {', '.join(sorted(chosen))}: add {area}, or nothing of the stream "
            "is built"
        )


def _cycle_line(cycle: Cycle, ingest: Ingest) -> str:
    progress = ingest.progress()
    lag = sum(progress.lag.values())
    age = "no event" if cycle.age_seconds is None else f"{cycle.age_seconds:,.1f} s old"
    return (
        f"built in {cycle.seconds:.1f} s, newest event in the star {age}, "
        f"{progress.counts.n_records:,} messages landed, lag {lag:,} {progress.unit}"
    )
