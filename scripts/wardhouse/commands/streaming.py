"""`wardhouse ingest`, `wardhouse stream` and `wardhouse compact`."""

from __future__ import annotations

import math
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wardhouse import settings
from wardhouse.streaming.batches import StreamError, feed_folder
from wardhouse.streaming.build import INTERRUPTED, Builder, Cycle
from wardhouse.streaming.compaction import Policy, compact
from wardhouse.streaming.ingest import REPORT_SECONDS, Counts, Ingest, Limits, Progress
from wardhouse.streaming.metrics import CycleMetrics, serve_metrics
from wardhouse.streaming.sources.open import open_source
from wardhouse.streaming.stream import EVERY_SECONDS, WHOLE_EVERY_SECONDS, Stream, holds_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def compact_command(
    feed: Annotated[str, typer.Option(help="The feed, such as patient_flow.patient_events.")],
    raw_dir: Annotated[Path, typer.Option(envvar=settings.RAW_DIR, help="Your raw directory.")],
    after: Annotated[
        float, typer.Option(min=0, help="Seconds that a file stays as it is.")
    ] = Policy.min_age_seconds,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that merged files stay for builds that read them.")
    ] = Policy.grace_seconds,
) -> None:
    """Merge the small files that a stream left in the landing, once.

    `wardhouse ingest` does it in the background; this is for folders that nothing streams into.
    """
    from rich.console import Console
    from rich.markup import escape

    from wardhouse.streaming.batches import feed_folder

    console = Console(stderr=True)
    try:
        folder = feed_folder(raw_dir, feed)
        if not folder.is_dir():
            raise StreamError(f"nothing has streamed into {folder}")
        done = compact(folder, Policy(after, grace))
    except (StreamError, OSError) as error:
        console.print(escape(str(error)), style="red", soft_wrap=True)
        raise typer.Exit(1) from error
    console.print(
        f"merged {done.n_merged:,} files into {done.n_written:,}, deleted {done.n_deleted:,}"
    )


# Options of the commands that ingest.
FeedOption = Annotated[
    str, typer.Option(help="The feed to land, such as patient_flow.patient_events.")
]
RawDirOption = Annotated[Path, typer.Option(envvar=settings.RAW_DIR, help="Your raw directory.")]
BootstrapOption = Annotated[
    str | None, typer.Option(help="Kafka's host:port, or WARDHOUSE_KAFKA_BOOTSTRAP_SERVERS.")
]
TopicOption = Annotated[list[str] | None, typer.Option(help="A topic; may be repeated.")]
DirectoryOption = Annotated[
    Path | None, typer.Option(help="Instead of Kafka: growing .ndjson and .jsonl files.")
]
FormatOption = Annotated[str, typer.Option("--format", help="parquet or ndjson.")]
MaxMessagesOption = Annotated[
    int, typer.Option(min=1, help="Messages held before they are written.")
]
MaxMegabytesOption = Annotated[
    float, typer.Option(min=0.001, help="Size held before it is written.")
]
MaxSecondsOption = Annotated[
    float, typer.Option(min=0.01, help="Age of what is held before it is written.")
]
UntilEndOption = Annotated[
    bool, typer.Option("--until-end", help="End when all that is there now has landed.")
]
GroupOption = Annotated[
    str | None, typer.Option(help="Kafka consumer group; wardhouse.<feed> by default.")
]
NameOption = Annotated[
    str | None, typer.Option(help="Land under this name: for a topic that was made again.")
]
AcceptGapOption = Annotated[
    bool, typer.Option("--accept-gap", help="Go on where the broker deleted what never landed.")
]
MetricsPortOption = Annotated[
    int, typer.Option(help="Serve Prometheus metrics on this port; 0 for not.")
]
MetricsAddressOption = Annotated[str, typer.Option(help="Address that the metrics are served on.")]
CompactOption = Annotated[bool, typer.Option(help="Merge small files in the background.")]
CompactAfterOption = Annotated[
    float, typer.Option(min=0, help="Seconds that a file stays as it is.")
]
CompactGraceOption = Annotated[
    float, typer.Option(min=0, help="Seconds that merged files stay for builds that read them.")
]


def ingest_command(
    feed: FeedOption,
    raw_dir: RawDirOption,
    bootstrap: BootstrapOption = None,
    topic: TopicOption = None,
    directory: DirectoryOption = None,
    file_format: FormatOption = "parquet",
    max_messages: MaxMessagesOption = Limits.max_records,
    max_megabytes: MaxMegabytesOption = Limits.max_bytes / 2**20,
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
    """Land a stream in the raw directory, each message exactly once, until stopped.

    A restart goes on from what has landed. Further settings of the Kafka client, such as SASL and
    TLS, come from the environment: WARDHOUSE_KAFKA_SECURITY_PROTOCOL and so on.
    """
    from rich.console import Console

    console = Console(stderr=True)
    with errors_told(console):
        folder = feed_folder(raw_dir, feed)
        ingest = Ingest(
            open_source(bootstrap, topic or [], directory, feed, folder, group, name, accept_gap),
            folder,
            feed,
            Limits(max_messages, int(max_megabytes * 2**20), max_seconds),
            file_format,
            Policy(compact_after, compact_grace) if compact else None,
            serve_metrics(metrics_port, metrics_address),
            lambda message: tell_problem(console, message),
        )
        with stopped_by_signals(ingest.stop), _status(ingest, console), ingest:
            ingest.run(until_end)
    counts = ingest.counts
    console.print(f"landed {counts.n_records:,} messages in {counts.n_batches:,} files")


def tell_problem(console: Any, message: str, style: str = "yellow") -> None:
    """Print what went wrong."""
    from rich.markup import escape

    console.print(escape(message), style=style, soft_wrap=True)


@contextmanager
def errors_told(console: Any) -> Iterator[None]:
    """Say in one line why a stream cannot go on, and exit with 1."""
    try:
        yield
    except (StreamError, OSError) as error:
        tell_problem(console, str(error), "red")
        raise typer.Exit(1) from error


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the run in good order."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(each, lambda *_: stop()) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)


@contextmanager
def _status(ingest: Ingest, console: Any) -> Iterator[None]:
    """Show lag and throughput: a status line on a terminal, a line now and then elsewhere."""
    ended = threading.Event()

    def report(show: Callable[[str], None], seconds: float) -> None:
        counts, at = Counts(), time.monotonic()
        while not ended.wait(seconds):
            progress = ingest.progress()
            now = time.monotonic()
            show(_status_line(progress, (progress.counts - counts).n_records / (now - at)))
            counts, at = progress.counts, now

    if console.is_terminal:
        status = console.status("connecting")
        shown, seconds = lambda line: status.update(line), 1.0
    else:
        status = None
        shown, seconds = lambda line: console.print(line, soft_wrap=True), REPORT_SECONDS
    reporter = threading.Thread(target=report, args=(shown, seconds), daemon=True)
    if status:
        status.start()
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()
        if status:
            status.stop()


def _status_line(progress: Progress, rate: float) -> str:
    counts = progress.counts
    lag = sum(progress.lag.values())
    parts = [
        f"{rate:,.0f} messages/s",
        f"{counts.n_records:,} landed in {counts.n_batches:,} files",
        f"lag {lag:,} {progress.unit} over {len(progress.lag)} partitions",
    ]
    if progress.lag:
        key, worst = max(progress.lag.items(), key=lambda item: item[1])
        parts += [f"most {worst:,} on {key.stream}/{key.partition or 0}"] if worst else []
    if counts.n_errors:
        parts.append(f"{counts.n_errors:,} errors mended")
    return ", ".join(parts)


TOLD_AGAIN_SECONDS = 60.0


class ToldOnce:
    """Remembers what was reported: a build that fails every few seconds fails for one reason."""

    def __init__(self, again_seconds: float = TOLD_AGAIN_SECONDS):
        self._again_seconds = again_seconds
        self._told, self._told_at = "", -math.inf

    def is_news(self, error: str) -> bool:
        """Tell whether an error is another one than before, or was reported long ago."""
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
    make the tables that the stream feeds. Each prints how old the newest event in core is, and
    publishes the live answers that the area has into WARDHOUSE_PUBLISH_DIR.
    """
    from rich.console import Console

    from wardhouse.project import project_directory

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
            if cycle.error == INTERRUPTED:
                tell_problem(console, f"build {cycle.error}")
            elif told.is_news(cycle.error or cycle.live_error):
                what = "build failed" if cycle.error else "live answers are not published"
                error = cycle.error or cycle.live_error
                tell_problem(console, f"{what}, tried again: {error}", "red")

        settings.use_raw_dir(raw_dir)
        builder = Builder(project_directory(), area, _publish_live)
        stream = Stream(ingest, builder, area, every, whole_every, on_cycle)
        with stopped_by_signals(stream.stop):
            last = stream.run(lambda: holds_files(folder), until_end)
    if last and not last.is_done and last.error != INTERRUPTED:
        raise typer.Exit(1)


def _publish_live(connection: Any, nodes: list[dict[str, Any]], newest: float | None) -> str:
    """Publish what a cycle leaves, and return why that could not be, or nothing."""
    from wardhouse.publish.live import publish_live
    from wardhouse.publish.versions import PublishError

    try:
        publish_live(connection, nodes, settings.publish_directory(), newest)
    except PublishError as error:
        return str(error)
    return ""


def _check_chosen(area: str) -> None:
    """Refuse to stream what no build would read."""
    chosen = settings.areas()
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
        f"built in {cycle.seconds:.1f} s, newest event in core {age}, "
        f"{progress.counts.n_records:,} messages landed, lag {lag:,} {progress.unit}"
    )
