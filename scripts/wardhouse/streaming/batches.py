"""Micro-batches: how a stream lands as files, each the continuation of the one before.

A stream lands in the folder of its feed, partition by partition, as a chain of files. A file bears
in its name the position at which it begins, which is where the one before ended, and the name is
taken with link(2), which fails where it exists. So what has landed is the only account of what has
been read, a crash at any moment leaves a whole file or none, and of two processes that believe to
own a partition only one continues the chain; the other notices.

Compaction (`wardhouse.streaming.compaction`) merges such files. A compacted file lists in its
footer the micro-batches it holds; whoever reads the folder ignores those, and ignores a compacted
file whose batches a larger one holds. Hidden files are temporary.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wardhouse.project import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    import pyarrow as pa

FORMATS = ("parquet", "ndjson")
FOOTER_KEY = "wardhouse"
ATTEMPTS = 3  # at reading a folder from which a compaction may delete files
NAME = re.compile(
    r"(?P<stream>.+)-(?P<partition>\d{5,})-(?P<start>\d{20})"
    r"(?P<compacted>(-(?P<generation>\d+))?-compacted)?\.(?P<format>parquet|ndjson)",
    re.DOTALL,
)
TEMPORARY = re.compile(r"\..+-\d{5,}-\d{20}.*\.(parquet|ndjson)\.[0-9a-f]{8}\.tmp", re.DOTALL)
TAIL_BYTES = 65536


class StreamError(Exception):
    """A stream that cannot be landed, or a landing that contradicts its stream."""


class ContinuedError(Exception):
    """Somebody else continued the chain at this place."""


@dataclass(frozen=True)
class StreamKey:
    """One chain of records in order: a partition of a topic, or a file (whose partition is None).

    `stream` is the name of the topic or file, and the first part of the landed files' names.
    """

    stream: str
    partition: int | None = None

    @property
    def position_prefix(self) -> str:
        """What comes before the offset in `stream_position`."""
        return f"{self.stream}@" if self.partition is None else f"{self}@"

    def __str__(self) -> str:
        """Name the chain as people do, `topic[partition]` or the file's name."""
        return self.stream if self.partition is None else f"{self.stream}[{self.partition}]"


@dataclass(frozen=True)
class LastRecord:
    """The last record that landed of a chain: its offset and its text (None for a tombstone)."""

    offset: int
    payload: str | None


@dataclass(frozen=True)
class BatchFile:
    """A landed file, as its name tells it. A micro-batch is of generation 0."""

    path: Path
    stream: str
    partition: int
    start: int
    generation: int
    file_format: str

    @property
    def chain(self) -> tuple[str, int]:
        """What the file belongs to: the stream and the partition."""
        return self.stream, self.partition


def parse_name(path: Path) -> BatchFile | None:
    """Tell from its name what a landed file holds; None for any other file."""
    found = NAME.fullmatch(path.name)
    if found is None or path.name.startswith("."):
        return None
    generation = int(found["generation"] or 1) if found["compacted"] else 0
    return BatchFile(
        path,
        found["stream"],
        int(found["partition"]),
        int(found["start"]),
        generation,
        found["format"],
    )


def file_name(key: StreamKey, start: int, file_format: str) -> str:
    """Return the name of the micro-batch that begins at an offset."""
    return f"{key.stream}-{key.partition or 0:05d}-{start:020d}.{file_format}"


def batch_files(folder: Path) -> list[BatchFile]:
    """List the landed files of a folder, chain by chain in the order of their positions."""
    parsed = map(parse_name, folder.iterdir())
    return sorted(
        (file for file in parsed if file),
        key=lambda file: (file.chain, file.start, file.generation, file.path.name),
    )


def footer_batches(path: Path) -> list[dict[str, Any]]:
    """Return the micro-batches that a compacted file holds, in their order.

    Returns
    -------
    list of dict
        file (name), n_bytes, content_hash (SHA-256 of the micro-batch's bytes), n_records.

    Raises
    ------
    StreamError
        When the file is no compacted file.
    """
    status = path.stat()
    return json.loads(_footer(path, status.st_ino, status.st_mtime_ns))["batches"]


@lru_cache(maxsize=4096)
def _batch_names(path: Path, inode: int, changed: int) -> frozenset[str]:
    return frozenset(b["file"] for b in json.loads(_footer(path, inode, changed))["batches"])


def _footer(path: Path, _inode: int, _changed: int) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = (pq.read_metadata(path).metadata or {}).get(FOOTER_KEY.encode())
    except pa.ArrowInvalid as error:
        raise StreamError(f"{path} is damaged: {error}") from error
    if footer is None:
        raise StreamError(f"{path} is named as a compacted file and lists no batches")
    return footer


def batch_names(path: Path) -> frozenset[str]:
    """Return the names of the micro-batches that a compacted file holds (kept in memory)."""
    status = path.stat()
    return _batch_names(path, status.st_ino, status.st_mtime_ns)


def logical_files(files: Iterable[BatchFile]) -> list[BatchFile]:
    """Choose the files that together hold every record once.

    Left out are micro-batches that a compacted file lists, and compacted files whose batches a
    larger one lists.

    Parameters
    ----------
    files
        As `batch_files` lists them.

    Returns
    -------
    list of BatchFile
        In the given order.

    Raises
    ------
    StreamError
        When two compacted files share some of their batches, which no compaction leaves behind.
    """
    files = list(files)
    listed = {file: batch_names(file.path) for file in files if file.generation}
    holder: dict[str, BatchFile] = {}
    for file in sorted(listed, key=lambda file: (len(listed[file]), file.generation)):
        holder.update(dict.fromkeys(listed[file], file))
    chosen = []
    for file in files:
        if not file.generation:
            if file.path.name not in holder:
                chosen.append(file)
            continue
        holders = {holder[name] for name in listed[file]}
        if holders == {file}:
            chosen.append(file)
        elif file in holders or len(holders) > 1:
            others = ", ".join(sorted(other.path.name for other in holders - {file}))
            raise StreamError(f"{file.path} and {others} hold the same batches")
    return chosen


def as_text(payloads: Sequence[bytes | None]) -> pa.Array:
    """Read messages as UTF-8; bytes that are not become escapes, a backslash, x and two digits."""
    import pyarrow as pa

    try:
        return pa.array(payloads, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([_decoded(payload) for payload in payloads], pa.string())


def _decoded(payload: bytes | None) -> str | None:
    return None if payload is None else payload.decode("utf-8", "backslashreplace")


def batch_table(
    key: StreamKey,
    payloads: Sequence[bytes | None],
    offsets: Sequence[int],
    ingested_at: datetime,
) -> pa.Table:
    """Build the table of a micro-batch.

    Parameters
    ----------
    key
        The chain that the records belong to.
    payloads, offsets
        The messages as they came (None for a tombstone) and their offsets.
    ingested_at
        The moment of writing, UTC without a zone.

    Returns
    -------
    pyarrow.Table
        payload, ingested_at, stream_position; one row per message.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pa.array(offsets, pa.int64()).cast(pa.string())
    return pa.table(
        {
            "payload": as_text(payloads),
            "ingested_at": pa.repeat(pa.scalar(ingested_at, pa.timestamp("us")), len(offsets)),
            "stream_position": pc.binary_join_element_wise(key.position_prefix, numbers, ""),
        }
    )


def parquet_bytes(
    key: StreamKey,
    payloads: Sequence[bytes | None],
    offsets: Sequence[int],
    ingested_at: datetime,
) -> memoryview:
    """Write a micro-batch as Parquet, one row group. Parameters are those of `batch_table`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(
        batch_table(key, payloads, offsets, ingested_at),
        sink,
        row_group_size=len(offsets),
        use_dictionary=["ingested_at"],
        compression="snappy",  # a sixth of the time of zstd; compaction takes zstd
    )
    return memoryview(sink.getvalue())


def ndjson_bytes(
    key: StreamKey,
    payloads: Sequence[bytes | None],
    offsets: Sequence[int],
    ingested_at: datetime,
) -> bytes:
    """Write a micro-batch as JSON, a line per message. Parameters are those of `batch_table`."""
    written, prefix = ingested_at.isoformat(timespec="microseconds"), key.position_prefix
    return "".join(
        json.dumps(
            {
                "payload": _decoded(payload),
                "ingested_at": written,
                "stream_position": f"{prefix}{offset}",
            },
            ensure_ascii=False,
        )
        + "\n"
        for payload, offset in zip(payloads, offsets, strict=True)
    ).encode()


WRITERS: dict[str, Callable] = {"parquet": parquet_bytes, "ndjson": ndjson_bytes}


@contextmanager
def temporary_file(folder: Path, name: str) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a hidden file that goes when the block ends; `publish` gives it its name before.

    Its writer holds a lock on it, so that who cleans up knows a living writer's file (even a
    stopped one's, or one in another container) from a dead one's.
    """
    while True:
        path = folder / f".{name}.{secrets.token_hex(4)}.tmp"
        with path.open("xb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # somebody cleaned up just now, and takes it for a dead one's
                continue
            if not path.exists():
                continue
            try:
                yield file, path
            finally:
                path.unlink(missing_ok=True)
            return


def publish(file: BinaryIO, temporary: Path, target: Path) -> None:
    """Give a written file its name, so that it is there whole after any crash.

    Raises
    ------
    FileExistsError
        When the name is taken.
    """
    file.flush()
    os.fsync(file.fileno())
    os.link(temporary, target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make names that were given or taken in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path) -> int:
    """Remove what dead writers left; return how many files those were."""
    count = 0
    for path in folder.iterdir():
        if not TEMPORARY.fullmatch(path.name):
            continue
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            count += 1
    return count


class StreamFolder:
    """The folder of a feed, into which streams land.

    Parameters
    ----------
    folder
        `<raw directory>/<area>/<feed>`; made by `prepare`.
    file_format
        `parquet` or `ndjson`.
    """

    def __init__(self, folder: Path, file_format: str = "parquet"):
        self.folder = folder
        self.file_format = file_format

    def prepare(self) -> None:
        """Make the folder and remove what dead writers left in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_temporaries(self.folder)

    def last_record(self, key: StreamKey) -> LastRecord | None:
        """Find the last record that landed of a chain; None where nothing has.

        Raises
        ------
        StreamError
            When the chain has landed in the other format, or its last file cannot be read.
        """
        for _ in range(ATTEMPTS):
            with suppress(FileNotFoundError):
                return self._last_record((key.stream, key.partition or 0))
        raise StreamError(f"{self.folder} changes faster than it can be read")

    def _last_record(self, mine: tuple[str, int]) -> LastRecord | None:
        files = [file for file in batch_files(self.folder) if file.chain == mine]
        if other := next((f for f in files if f.file_format != self.file_format), None):
            raise StreamError(
                f"{other.path} is {other.file_format}: go on in that format, "
                "or land into another raw directory"
            )
        remaining = logical_files(files)
        if not remaining:
            return None
        return read_last_record(remaining[-1].path)

    def land(
        self, key: StreamKey, start: int, payloads: Sequence[bytes | None], offsets: Sequence[int]
    ) -> Path:
        """Continue a chain by a micro-batch that is there whole or not at all.

        Parameters
        ----------
        key
            The chain.
        start
            Where its last micro-batch ended.
        payloads, offsets
            The messages and their ascending offsets, at least one.

        Returns
        -------
        Path
            The landed file.

        Raises
        ------
        ContinuedError
            When somebody else has continued the chain at this place. Nothing was written.
        OSError
            When the folder takes no file. Nothing was written.
        """
        target = self.folder / file_name(key, start, self.file_format)
        ingested_at = datetime.now(UTC).replace(tzinfo=None)
        content = WRITERS[self.file_format](key, payloads, offsets, ingested_at)
        with temporary_file(self.folder, target.name) as (file, temporary):
            file.write(content)
            try:
                publish(file, temporary, target)
            except FileExistsError as error:
                raise ContinuedError(target.name) from error
        if self._is_compacted(key, target.name):
            target.unlink(missing_ok=True)
            raise ContinuedError(target.name)
        return target

    def _is_compacted(self, key: StreamKey, name: str) -> bool:
        """Tell whether the name was free only because its first bearer was merged and deleted.

        A writer that was stopped for longer than the grace time comes here. Should it die before it
        looks, its file stays, is listed by the compacted file and therefore ignored.
        """
        mine = (key.stream, key.partition or 0)
        compacted = (f for f in batch_files(self.folder) if f.generation and f.chain == mine)
        for file in compacted:
            with suppress(FileNotFoundError):  # superseded and past its grace time: so not alone
                if name in batch_names(file.path):
                    return True
        return False


def read_last_record(path: Path) -> LastRecord:
    """Read the last record of a landed file.

    Raises
    ------
    StreamError
        When the file is damaged.
    """
    try:
        if path.suffix == ".parquet":
            position, payload = _last_of_parquet(path)
        else:
            position, payload = _last_of_ndjson(path)
        return LastRecord(int(position.rpartition("@")[2]), payload)
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise StreamError(f"{path} is damaged, so nothing can follow it: {error}") from error


def _last_of_parquet(path: Path) -> tuple[str, str | None]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        columns = ["stream_position", "payload"]
        table = file.read_row_group(file.num_row_groups - 1, columns=columns)
    last = table.slice(table.num_rows - 1).to_pylist()[0]
    return last["stream_position"], last["payload"]


def _last_of_ndjson(path: Path) -> tuple[str, str | None]:
    with path.open("rb") as file:
        size, n_bytes, tail = file.seek(0, os.SEEK_END), TAIL_BYTES, b""
        while tail.count(b"\n") < 2 and len(tail) < size:
            file.seek(-min(n_bytes, size), os.SEEK_END)
            tail = file.read()
            n_bytes *= 4
    last = json.loads(tail.splitlines()[-1])
    return last["stream_position"], last["payload"]


def read_landed(folder: Path) -> Iterator[tuple[str, str | None]]:
    """Read what landed in a folder, each record once.

    Yields
    ------
    stream_position, payload
        Chain by chain, in order.
    """
    import pyarrow.parquet as pq

    for file in logical_files(batch_files(folder)):
        if file.file_format == "parquet":
            with pq.ParquetFile(file.path) as opened:
                for batch in opened.iter_batches(columns=["stream_position", "payload"]):
                    yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        else:
            with file.path.open(encoding="utf-8", newline="\n") as lines:
                records = map(json.loads, lines)
                yield from ((r["stream_position"], r["payload"]) for r in records)


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
    if raw_dir.resolve().is_relative_to(SAMPLE):
        raise StreamError(f"{raw_dir} is the shipped sample: give a raw directory of your own")
    return raw_dir / area / name
