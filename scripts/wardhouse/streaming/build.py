"""Builds of parts of the project, again and again in one process."""

from __future__ import annotations

import gc
import re
import signal
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    PublishLive = Callable[[Any, list[dict[str, Any]], float | None], str]

# Shares that would stop a build are in quality.alerts: a stream goes on.
ACCEPT_ALL = "accept_refused: all"
INTERRUPTED = "stopped before it ended; the next build does the rest"
CANCEL_SECONDS = 0.1  # between attempts, for a statement may begin just after one


@dataclass(frozen=True)
class Cycle:
    """One build: when it ended (seconds since 1970), how long it took, and what it left.

    `newest_event_at` is the newest event in core (seconds since 1970), or None where there is
    none. `error` is empty where the build succeeded, `live_error` where its live answers were
    published, too, or there are none.
    """

    ended_at: float
    seconds: float
    newest_event_at: float | None
    error: str
    live_error: str = ""

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is to be tried again."""
        return not (self.error or self.live_error)

    @property
    def age_seconds(self) -> float | None:
        """How old the newest event in core was when the build ended."""
        return None if self.newest_event_at is None else self.ended_at - self.newest_event_at


class Builder:
    """Builds parts of the project again and again in this process.

    Parameters
    ----------
    project_dir
        Folder of `dbt_project.yml` and `profiles.yml`.
    area
        The area whose star is asked for its newest event.
    publish_live
        Called after a good build, where the area has models that declare `live: true`: with the
        build's connection, all models that do, as nodes of a dbt manifest, and the newest event
        (seconds since 1970, or None). Returns why they could not be published, or nothing.

    Notes
    -----
    Places come from the environment, as with `dbt build`. The database is let go of after every
    build, so that others can read it in between.
    """

    def __init__(self, project_dir: Path, area: str, publish_live: PublishLive | None = None):
        self._places = ["--project-dir", str(project_dir), "--profiles-dir", str(project_dir)]
        self._area = area
        self._publish_live = publish_live
        self._live: list[dict[str, Any]] = []
        self._manifest: Any = None
        self._cycles: dict[str, Any] = {}  # by feed, what of it is needed in a cycle
        self._ended = threading.Event()
        self._ended.set()

    def build(self, selection: str) -> Cycle:
        """Build a whole area, or what one feed changes.

        Parameters
        ----------
        selection
            Name of an area, or of a feed as `<area>.<feed>`.

        Returns
        -------
        Cycle
            A failed build is reported in `error`; it changed nothing that it did not finish.
        """
        began = time.monotonic()
        arguments = ["build", *selected(selection), "--no-write-json", "--log-level-file", "none"]
        error, newest, live_error = INTERRUPTED, None, ""
        try:
            with self._interruptible():
                error = self._invoke(selection, arguments)
                if not error:
                    newest, live_error = self._tell_of_it()
        except KeyboardInterrupt:
            error = INTERRUPTED
        finally:
            let_go_of_database()
        return Cycle(time.time(), time.monotonic() - began, newest, error, live_error)

    def interrupt(self) -> None:
        """End the build that runs, from another thread; return when it has ended.

        What it finished stays, and what it was at is rolled back. A build that does not run in the
        main thread, where signals are heard, ends by itself.
        """
        from dbt.adapters.factory import FACTORY

        if not self._ended.is_set():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)
        while not self._ended.wait(CANCEL_SECONDS):
            for adapter in list(FACTORY.adapters.values()):
                adapter.cancel_open_connections()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main:
            signal.signal(signal.SIGALRM, _raise_interrupt)
            self._ended.clear()
        try:
            yield
        finally:
            if is_main:  # an interrupt that comes late finds nothing to end
                signal.signal(signal.SIGALRM, signal.SIG_IGN)
                self._ended.set()

    def _invoke(self, selection: str, arguments: list[str]) -> str:
        from dbt.cli.main import dbtRunner

        from wardhouse.streaming.cycle_manifest import of_cycles

        if self._manifest is None:
            parsed = dbtRunner().invoke(["--log-level", "none", "parse", *self._places])
            if not parsed.success:
                return plain_message(parsed.exception)
            self._manifest = parsed.result
            self._manifest.selectors = {}  # dbt cannot copy a manifest that has any
            live = [node for node in parsed.result.nodes.values() if node.config.meta.get("live")]
            if any(node.schema == self._area for node in live):
                self._live = [node.to_dict(omit_none=True) for node in live]
            collect_seldom()
        if base := base_model(selection):
            if selection not in self._cycles:
                self._cycles[selection] = of_cycles(self._manifest, base)
                collect_seldom()
            manifest = self._cycles[selection]
        else:
            manifest = self._manifest
        # Its error is in the result; dbt would print every exception that led to it.
        result = dbtRunner(manifest=manifest).invoke(
            ["--log-level", "none", *arguments, *self._places]
        )
        failed = [
            f"{node.node.name}: {node.message}{at_record(node.node)}"
            for node in getattr(result.result, "results", None) or []
            if str(node.status) in ("error", "fail", "runtime error")
        ]
        if isinstance(result.exception, KeyboardInterrupt):
            return INTERRUPTED
        if result.success:
            return ""
        return "; ".join(failed) or plain_message(result.exception)

    def _tell_of_it(self) -> tuple[float | None, str]:
        """Ask for the newest event, publish live answers, and return what came of either.

        By the build's connection, because another process may take the database right after it.
        """
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        with closing(DuckDBConnectionManager.env().handle()) as handle:
            newest, live_error = self._newest_event_at(handle.cursor()), ""
            if self._publish_live and self._live:
                live_error = self._publish_live(handle.cursor(), self._live, newest)
            return newest, live_error

    def _newest_event_at(self, cursor: Any) -> float | None:
        """Ask the facts that name the clock of their events (`meta.event_clock`).

        An event that a clock running ahead has stamped with a time to come says nothing of age.
        """
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
        newest = f"select epoch(max(newest_at)) from ({' union all '.join(clocks)})"  # noqa: S608
        return cursor.execute(newest).fetchone()[0]


def collect_seldom() -> None:
    """Let the collector of garbage pass over what is parsed, and look at the rest less often.

    A parsed project stays as long as the process, and what a build makes lives as long as the
    build: to look through both again and again costs a tenth of a build.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def at_record(node: Any) -> str:
    """Name file and number of the record that a base model failed at, behind its message."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    from wardhouse.streaming.culprit import find_record

    if not node.name.startswith("base_") or not getattr(node, "compiled_code", None):
        return ""
    try:
        with closing(DuckDBConnectionManager.env().handle()) as handle:
            place = find_record(handle.cursor(), node.compiled_code)
    except duckdb.Error:  # of a database that cannot be asked the message says enough
        return ""
    return f" (at {place})" if place else ""


def _raise_interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def selected(selection: str) -> list[str]:
    """Give dbt's arguments for an area or for one cycle of a feed.

    A cycle builds what reads a feed by what changed: its base model, and of all that is built from
    it the tables that are made again by key. No tests: constraints hold while loading.
    """
    base = base_model(selection)
    if base is None:
        return ["--selector", selection, "--vars", f"{{{ACCEPT_ALL}}}"]
    models = f"{base} {base}+,config.materialized:incremental_by_key"
    without = "--cache-selected-only --exclude-resource-types test unit_test"
    variables = f"{{{ACCEPT_ALL}, is_stream_cycle: true}}"
    return ["--select", *models.split(), *without.split(), "--vars", variables]


def base_model(selection: str) -> str | None:
    """Name the base model of a feed, `<area>.<feed>`; of an area there is none."""
    return "base_" + selection.replace(".", "__") if "." in selection else None


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


def plain_message(error: str | BaseException) -> str:
    r"""Return what an exception of dbt says, without the names of the errors it was wrapped in.

    >>> plain_message("Database Error\n  Runtime Error\n    WARDHOUSE_DB is wrong")
    'WARDHOUSE_DB is wrong'
    """
    wrapping = re.compile(r"\s*(\w+ Error( in .*)?|>.*|)")
    lines = [line.strip() for line in str(error).splitlines() if not wrapping.fullmatch(line)]
    return " ".join(lines) or type(error).__name__
