"""Landing a stream exactly once: read, hold a little, write a micro-batch, go on.

What has landed is the only account of what was read (`wardhouse.streaming.batches`), so a process
may be killed at any moment, and two may hold one partition at a time. `Ingest` does the work and
may be embedded.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wardhouse.streaming.batches import FORMATS, ContinuedError, StreamError, StreamFolder
from wardhouse.streaming.compaction import Compactor, Policy
from wardhouse.streaming.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from wardhouse.streaming.batches import LastRecord, StreamKey
    from wardhouse.streaming.sources.base import Chunk, Source

READ_RECORDS = 10_000  # asked of a source at once
READ_SECONDS = 0.1
REPORT_SECONDS = 10  # between two lines where there is no terminal


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

    # What the source asks and tells (`wardhouse.streaming.sources.kafka.Chains`)

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
