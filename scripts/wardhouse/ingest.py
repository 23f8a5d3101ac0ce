"""Landing a stream exactly once: read, hold a little, write a micro-batch, go on.

What has landed is the only account of what was read (`wardhouse.stream_batches`), so a process may
be killed at any moment, and two may hold one partition at a time. `Ingest` does the work and may be
embedded; `ingest_command` is `wardhouse ingest`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wardhouse.compaction import Compactor, Policy
from wardhouse.stream_batches import FORMATS, ContinuedError, StreamError, StreamFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from wardhouse.stream_batches import LastRecord, StreamKey
    from wardhouse.stream_sources import Chunk, Source

READ_RECORDS = 10_000  # asked of a source at once
READ_SECONDS = 0.1
REPORT_SECONDS = 10  # between two lines where there is no terminal
GROUP_PREFIX = "wardhouse."


@dataclass(frozen=True)
class Limits:
    """When a micro-batch is written: as soon as one of these is reached, over all partitions.

    The first two bound the memory, too.
    """

    max_records: int = 100_000
    max_bytes: int = 32 * 2**20
    max_seconds: float = 2.0


@dataclass
class Counts:
    """What has landed, and what went wrong and was mended."""

    n_records: int = 0
    n_bytes: int = 0
    n_batches: int = 0
    n_continued: int = 0  # batches dropped because another ingester had landed them
    n_errors: int = 0

    def __sub__(self, before: Counts) -> Counts:
        """Return what was added since."""
        return Counts(**{name: value - getattr(before, name) for name, value in vars(self).items()})


@dataclass
class Progress:
    """A look at a running ingest from any thread."""

    counts: Counts
    lag: dict[StreamKey, int]
    unit: str
    last_landed_at: float | None  # seconds since 1970
    last_problem: str


@dataclass
class _Held:
    """Records of one chain that have not landed; `start` is where the chain goes on."""

    start: int
    payloads: list[bytes | None] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    end: int = 0
    n_bytes: int = 0

    def empty(self, start: int) -> None:
        self.start, self.payloads, self.offsets, self.n_bytes = start, [], [], 0


class Metrics:
    """Prometheus metrics of one or more ingests.

    Parameters
    ----------
    registry
        A `prometheus_client.CollectorRegistry`; a new one by default.
    """

    def __init__(self, registry: Any = None):
        from prometheus_client import CollectorRegistry, Counter, Gauge

        self.registry = registry or CollectorRegistry()
        chain, common = ["feed", "stream", "partition"], {"registry": self.registry}
        prefix = "wardhouse_ingest"
        self.records = Counter(f"{prefix}_messages", "Messages landed.", chain, **common)
        self.bytes = Counter(f"{prefix}_bytes", "Bytes of messages landed.", chain, **common)
        self.batches = Counter(f"{prefix}_batches", "Micro-batches landed.", chain, **common)
        self.lag = Gauge(
            f"{prefix}_lag", "Messages (bytes of a directory) not landed yet.", chain, **common
        )
        self.continued = Counter(
            f"{prefix}_continued", "Batches dropped: another had landed them.", chain, **common
        )
        self.errors = Counter(f"{prefix}_errors", "What went wrong.", ["feed", "kind"], **common)
        self.last_landed = Gauge(
            f"{prefix}_last_landed_timestamp_seconds", "The newest micro-batch.", ["feed"], **common
        )
        self.merged = Counter(
            f"{prefix}_compacted_files", "Files merged by compaction.", ["feed"], **common
        )

    def serve(self, port: int, address: str) -> None:
        """Answer Prometheus at `http://address:port/metrics`, in a thread of its own."""
        from prometheus_client import start_http_server

        start_http_server(port, address, self.registry)


class Ingest:
    """Lands a source into the folder of a feed, exactly once.

    One thread enters it and calls `poll` or `run`; `stop` and `progress` may be called from any.

    Parameters
    ----------
    source
        Opened on entering, closed on leaving.
    folder
        `<raw directory>/<area>/<feed>`.
    feed
        `<area>.<feed>`, as metrics name it.
    limits
        When a micro-batch is written.
    file_format
        `parquet` or `ndjson`. NDJSON is not compacted.
    policy
        How small files are merged in the background; None for not at all.
    metrics
        Where to count; None for nowhere.
    on_problem
        Told in words of what went wrong and was mended.

    Raises
    ------
    StreamError
        When there is no such format.

    Examples
    --------
    >>> with Ingest(source, folder, "patient_flow.patient_events") as ingest:  # doctest: +SKIP
    ...     landed = ingest.poll(5)
    ...     landed.n_records
    """

    def __init__(
        self,
        source: Source,
        folder: Path,
        feed: str,
        limits: Limits = Limits(),
        file_format: str = "parquet",
        policy: Policy | None = None,
        metrics: Metrics | None = None,
        on_problem: Callable[[str], None] = lambda _: None,
    ):
        self.feed = feed
        self.counts = Counts()
        self._source = source
        if file_format not in FORMATS:
            raise StreamError(f"the format is one of {', '.join(FORMATS)}, not {file_format!r}")
        self._folder = StreamFolder(folder, file_format)
        self._limits = limits
        self._policy = policy if file_format == "parquet" else None
        self._metrics = metrics
        self._on_problem = on_problem
        self._held: dict[StreamKey, _Held] = {}
        self._held_since = 0.0
        self._n_held = 0
        self._bytes_held = 0
        self._record_bytes = 1000.0  # a guess until records came
        self._lag: dict[StreamKey, int] = {}
        self._lag_at = 0.0
        self._last_landed_at: float | None = None
        self._last_problem = ""
        self._told_at = 0.0
        self._stop = threading.Event()
        self._compactor: Any = None

    def __enter__(self) -> Ingest:
        """Prepare the folder, connect, and begin to compact.

        Raises
        ------
        StreamError
            When the folder cannot be written or the source cannot go on from what has landed.
        """
        try:
            self._folder.prepare()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._source.open(self)
        except BaseException:
            self._source.close()
            raise
        if self._policy is not None:
            self._compactor = Compactor(
                self._folder.folder, self._policy, self._compacted, self.tell
            )
            self._compactor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Land what is held, unless landing is what failed, and close the source."""
        try:
            if kind is None or not issubclass(kind, StreamError):
                self.flush()
        finally:
            for held in self._held.values():  # closing must not try what failed
                held.empty(held.start)
            try:
                self._source.close()
            finally:
                if self._compactor is not None:
                    self._compactor.stop()

    def poll(self, seconds: float) -> Counts:
        """Read and land for some seconds, or until told to stop.

        Records that reached no limit stay held; the next call, or leaving, lands them.

        Parameters
        ----------
        seconds
            How long; 0 reads once.

        Returns
        -------
        Counts
            What landed during this call.

        Raises
        ------
        StreamError
            When the stream cannot go on. Nothing half written is left.
        """
        before = Counts(**vars(self.counts))
        deadline = time.monotonic() + seconds
        while True:
            remaining = max(0.0, deadline - time.monotonic())
            for chunk in self._source.read(self._room(), min(READ_SECONDS, remaining)):
                self._hold(chunk)
            if self._is_due():
                self.flush()
            self._look_at_lag()
            if remaining == 0 or self._stop.is_set():
                return self.counts - before

    def run(self, until_end: bool = False) -> None:
        """Read and land until told to stop, or until all that was there at the start has landed."""
        while not self._stop.is_set():
            self.poll(READ_SECONDS)
            if until_end and self._source.is_drained(self._landed):
                n_continued = self.counts.n_continued
                self.flush()
                if self.counts.n_continued == n_continued:  # else it reads on from elsewhere
                    break
        self.flush()
        self._look_at_lag(is_last=True)

    def stop(self) -> None:
        """Let `poll` and `run` end soon, having landed what they hold (any thread)."""
        self._stop.set()

    def progress(self) -> Progress:
        """Look at what has landed and what has not (any thread)."""
        return Progress(
            Counts(**vars(self.counts)),
            dict(self._lag),
            self._source.unit,
            self._last_landed_at,
            self._last_problem,
        )

    def flush(self) -> None:
        """Land all that is held, one micro-batch per chain.

        Raises
        ------
        StreamError
            When the folder takes no file.
        """
        self._land(list(self._held))

    def _room(self) -> int:
        records = self._limits.max_records - self._n_held
        room = (self._limits.max_bytes - self._bytes_held) / self._record_bytes
        return max(1, min(READ_RECORDS, records, int(room)))

    def _hold(self, chunk: Chunk) -> None:
        held = self._held[chunk.key]
        if not self._n_held:
            self._held_since = time.monotonic()
        n_bytes = sum(map(len, filter(None, chunk.payloads)))
        held.payloads += chunk.payloads
        held.offsets += chunk.offsets
        held.end = chunk.end
        held.n_bytes += n_bytes
        self._n_held += len(chunk)
        self._bytes_held += n_bytes
        self._record_bytes = max(1.0, n_bytes / len(chunk))

    def _is_due(self) -> bool:
        return self._n_held > 0 and (
            self._n_held >= self._limits.max_records
            or self._bytes_held >= self._limits.max_bytes
            or time.monotonic() >= self._held_since + self._limits.max_seconds
        )

    def _land(self, keys: Iterable[StreamKey]) -> None:
        continued = []
        for key in keys:
            held = self._held[key]
            if not held.offsets:
                continue
            try:
                self._folder.land(key, held.start, held.payloads, held.offsets)
            except ContinuedError:
                continued.append(key)
            except OSError as error:
                self._count_error("landing")
                raise self._unwritable(error) from error
            else:
                self._count(key, held)
            self._drop(held, held.end)
        for key in continued:
            self.counts.n_continued += 1
            self._on_problem(f"{key}: another ingester landed first, reading on after that")
            if self._metrics:
                self._metrics.continued.labels(*self._labels(key)).inc()
        if continued:
            self._source.rewind(continued)

    def _unwritable(self, error: OSError) -> StreamError:
        return StreamError(
            f"cannot write into {self._folder.folder}: {error.strerror or error}. "
            "What had not landed is read again at the next start"
        )

    def _drop(self, held: _Held, start: int) -> None:
        self._n_held -= len(held.offsets)
        self._bytes_held -= held.n_bytes
        held.empty(start)

    def _labels(self, key: StreamKey) -> tuple[str, str, str]:
        return self.feed, key.stream, str(key.partition or 0)

    def _count(self, key: StreamKey, held: _Held) -> None:
        self.counts.n_records += len(held.offsets)
        self.counts.n_bytes += held.n_bytes
        self.counts.n_batches += 1
        self._last_landed_at = time.time()
        if self._metrics:
            labels = self._labels(key)
            self._metrics.records.labels(*labels).inc(len(held.offsets))
            self._metrics.bytes.labels(*labels).inc(held.n_bytes)
            self._metrics.batches.labels(*labels).inc()
            self._metrics.last_landed.labels(self.feed).set(self._last_landed_at)

    def _count_error(self, kind: str) -> None:
        self.counts.n_errors += 1
        if self._metrics:
            self._metrics.errors.labels(self.feed, kind).inc()

    def _compacted(self, n_files: int) -> None:
        if self._metrics:
            self._metrics.merged.labels(self.feed).inc(n_files)

    def _look_at_lag(self, is_last: bool = False) -> None:
        if time.monotonic() < self._lag_at + 1 and not is_last:
            return
        self._lag_at = time.monotonic()
        lags = {key: self._source.lag(key, held.start) for key, held in self._held.items()}
        known = {key: lag for key, lag in lags.items() if lag is not None}
        if self._metrics:
            for key in self._lag.keys() - known.keys():
                self._metrics.lag.remove(*self._labels(key))
            for key, lag in known.items():
                self._metrics.lag.labels(*self._labels(key)).set(lag)
        self._lag = known

    def _landed(self, key: StreamKey) -> int:
        if key in self._held:
            return self._held[key].start
        last = self._folder.last_record(key)
        return 0 if last is None else last.offset + 1

    # What the source asks and tells (`wardhouse.stream_sources.Chains`)

    def last_record(self, key: StreamKey) -> LastRecord | None:
        """Return the last record that landed."""
        return self._folder.last_record(key)

    def begin(self, key: StreamKey, start: int) -> None:
        """Take records of a chain from `start` on."""
        if key in self._held:
            self._drop(self._held[key], start)
        self._held[key] = _Held(start)

    def release(self, keys: Iterable[StreamKey], lost: bool) -> None:
        """Land what is held of chains that another gets, or drop it where another has them."""
        mine = [key for key in keys if key in self._held]
        if not lost:
            self._land(mine)
        for key in mine:
            self._drop(self._held[key], self._held[key].start)
            del self._held[key]

    def tell(self, message: str, kind: str) -> None:
        """Count and report what went wrong and is being mended (any thread)."""
        self._count_error(kind)
        now = time.monotonic()
        if message != self._last_problem or now > self._told_at + REPORT_SECONDS:
            self._last_problem, self._told_at = message, now
            self._on_problem(message)


def feed_folder(raw_dir: Path, feed: str) -> Path:
    """Return the folder that the streams of a feed land in.

    Raises
    ------
    StreamError
        When `feed` is not `<area>.<feed>`, or the directory is the sample that wardhouse ships.
    """
    area, _, name = feed.partition(".")
    if not (area.isidentifier() and name.isidentifier()):
        raise StreamError(f"a feed is named <area>.<feed>, not {feed!r}")
    sample = Path(__file__).resolve().parents[2] / "seeds" / "sample"
    if raw_dir.resolve().is_relative_to(sample):
        raise StreamError(f"{raw_dir} is the shipped sample: give a raw directory of your own")
    return raw_dir / area / name


def open_source(
    bootstrap: str | None,
    topics: list[str],
    directory: Path | None,
    feed: str,
    folder: Path,
    group: str | None = None,
    name: str | None = None,
    accept_gap: bool = False,
) -> Source:
    """Choose the source that the options name.

    Parameters
    ----------
    bootstrap, topics, group, name, accept_gap
        Of `wardhouse.stream_sources.KafkaSource`; further settings come from the environment.
    directory
        Of `wardhouse.stream_sources.DirectorySource`, instead of the others.
    feed, folder
        What is landed, and where.

    Raises
    ------
    StreamError
        When the options contradict each other or name nothing.
    """
    from wardhouse.stream_sources import DirectorySource, KafkaSource

    if directory is not None:
        if topics or name or accept_gap:
            raise StreamError("give either --directory or --topic with its options")
        if directory.resolve() == folder.resolve():
            raise StreamError(f"{directory} is the folder to land in")
        return DirectorySource(directory)
    from wardhouse.kafka_settings import kafka_settings

    settings = kafka_settings(os.environ)
    if bootstrap:
        settings["bootstrap.servers"] = bootstrap
    if not topics or not settings.get("bootstrap.servers"):
        raise StreamError("give --bootstrap and --topic, or --directory")
    group = group or settings.get("group.id") or GROUP_PREFIX + feed
    return KafkaSource(topics, {**settings, "group.id": group}, group, name, accept_gap)


# Options of the commands that ingest.
FeedOption = Annotated[
    str, typer.Option(help="The feed to land, such as patient_flow.patient_events.")
]
RawDirOption = Annotated[Path, typer.Option(envvar="WARDHOUSE_RAW_DIR", help="Your raw directory.")]
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


def serve_metrics(port: int, address: str) -> Metrics | None:
    """Serve metrics where a port is given."""
    if not port:
        return None
    metrics = Metrics()
    metrics.serve(port, address)
    return metrics


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
