"""Merging small landed files without losing their identity.

Adjacent files of one chain are merged into one Parquet file whose rows name the micro-batch they
came from and whose footer lists each micro-batch with its size and hash. The merged files are
deleted after a grace time, for builds that have listed them.

A file is rewritten only together with neighbours that hold at least as many bytes as it does, and
at least `min_files` at once. So each rewrite at least doubles the file that a row lives in: a row
is rewritten at most log2(target / size of its micro-batch) times, in practice about a third of it,
and the number of files grows with the logarithm of what landed up to the target size, and beyond it
with the amount, never with time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wardhouse.streaming.batches import (
    FOOTER_KEY,
    StreamError,
    batch_files,
    batch_names,
    footer_batches,
    logical_files,
    publish,
    sync_folder,
    temporary_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from wardhouse.streaming.batches import BatchFile

LOCK = ".compaction.lock"
ROUND_SECONDS = 10.0
GROUP_ROWS = 122_880  # DuckDB's own size of a row group, its unit of parallel reading
GROUP_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Policy:
    """What is merged, and when the merged files go.

    Attributes
    ----------
    min_age_seconds
        A file younger than this stays as it is.
    grace_seconds
        How long merged files stay after they were merged.
    target_bytes
        A merged file is not larger than its members together, and those are not more than this.
    min_files, max_files
        How many files are merged at once.
    """

    min_age_seconds: float = 300
    grace_seconds: float = 600
    target_bytes: int = 128 * 2**20
    min_files: int = 8
    max_files: int = 1000


@dataclass(frozen=True)
class Compacted:
    """What a round did: files merged, files they became, and merged files deleted."""

    n_merged: int = 0
    n_written: int = 0
    n_deleted: int = 0


def choose_runs(sizes: Sequence[int], policy: Policy) -> list[range]:
    """Choose which of the neighbouring files of a chain are merged.

    Parameters
    ----------
    sizes
        Bytes of each file, in the order of the chain.
    policy
        The limits.

    Returns
    -------
    list of range
        Indices of the files of each run; runs do not overlap. In a run the largest file is not
        larger than the others together.

    Examples
    --------
    >>> choose_runs([100, 1, 1, 1], Policy(min_files=2, target_bytes=200))
    [range(1, 4)]
    >>> choose_runs([3, 1, 1, 1], Policy(min_files=2, target_bytes=200))
    [range(0, 4)]
    """
    runs, begin = [], 0
    while begin < len(sizes):
        total = largest = end = 0
        for index, size in enumerate(sizes[begin : begin + policy.max_files], start=begin):
            total += size
            largest = max(largest, size)
            if total > policy.target_bytes:
                break
            if index + 1 - begin >= policy.min_files and 2 * largest <= total:
                end = index + 1
        if end:
            runs.append(range(begin, end))
        begin = end or begin + 1
    return runs


def compact(
    folder: Path, policy: Policy, is_stopped: Callable[[], bool] = lambda: False
) -> Compacted:
    """Merge what is due in a folder, and delete what was merged long enough ago.

    Safe to kill at any moment. Of several that run at a time, one does the work.

    Parameters
    ----------
    folder
        The folder of a feed.
    policy
        What is due.
    is_stopped
        Asked between files; when it says so, the merge at hand is given up.

    Raises
    ------
    StreamError
        When a file is damaged.
    OSError
        When a file cannot be read or written.
    """
    with _alone(folder) as is_alone:
        if not is_alone:
            return Compacted()
        n_deleted = delete_merged(folder, policy.grace_seconds)
        n_merged = n_written = 0
        for run in _due(folder, policy):
            if is_stopped() or not merge(run, is_stopped):
                break
            n_merged += len(run)
            n_written += 1
        return Compacted(n_merged, n_written, n_deleted)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _due(folder: Path, policy: Policy) -> list[list[BatchFile]]:
    newest = time.time() - policy.min_age_seconds
    runs = []
    parquet = [file for file in batch_files(folder) if file.file_format == "parquet"]
    for _, group in groupby(logical_files(parquet), lambda file: file.chain):
        files, sizes = [], []
        for file in group:
            status = file.path.stat()
            if status.st_ctime > newest:  # when it got its name
                break
            files.append(file)
            sizes.append(status.st_size)
        runs += [[files[index] for index in run] for run in choose_runs(sizes, policy)]
    return runs


def merge(run: Sequence[BatchFile], is_stopped: Callable[[], bool] = lambda: False) -> Path | None:
    """Merge neighbouring files of one chain into one, row group by row group.

    Parameters
    ----------
    run
        At least one file, in order.
    is_stopped
        Asked before each file.

    Returns
    -------
    Path or None
        The new file; None where it was stopped before the end.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = run[0]
    generation = max(file.generation for file in run) + 1
    again = "" if generation == 1 else f"-{generation}"  # the name without is taken
    name = f"{first.stream}-{first.partition:05d}-{first.start:020d}{again}-compacted.parquet"
    target = first.path.with_name(name)
    schema = pa.schema(
        [
            ("payload", pa.string()),
            ("ingested_at", pa.timestamp("us")),
            ("stream_position", pa.string()),
            ("source_file", pa.string()),
        ]
    )
    batches: list[dict[str, Any]] = []
    options = {"compression": "zstd", "use_dictionary": ["ingested_at", "source_file"]}
    with temporary_file(target.parent, target.name) as (file, temporary):
        with pq.ParquetWriter(file, schema, **options) as writer:
            waiting: list[pa.Table] = []
            for member in run:
                if is_stopped():
                    return None
                for table in _read(member, batches):
                    waiting.append(table.select(schema.names).cast(schema))
                    n_bytes = sum(each.nbytes for each in waiting)
                    n_rows = sum(len(each) for each in waiting)
                    if n_rows >= GROUP_ROWS or n_bytes >= GROUP_BYTES:
                        _write_group(writer, waiting)
            _write_group(writer, waiting)
            writer.add_key_value_metadata({FOOTER_KEY: json.dumps({"batches": batches})})
        publish(file, temporary, target)
    return target


def _write_group(writer: Any, tables: list[pa.Table]) -> None:
    import pyarrow as pa

    if tables:
        table = pa.concat_tables(tables)
        writer.write_table(table, row_group_size=len(table))
        tables.clear()


def _read(member: BatchFile, batches: list[dict[str, Any]]) -> Iterator[pa.Table]:
    """Read a member table by table, and add its micro-batches to the list."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = member.path.name
    try:
        if member.generation:
            batches += footer_batches(member.path)
            with pq.ParquetFile(member.path) as file:
                for group in range(file.num_row_groups):
                    yield file.read_row_group(group)
            return
        content = member.path.read_bytes()
        table = pq.read_table(pa.BufferReader(content))
    except pa.ArrowInvalid as error:
        raise StreamError(f"{member.path} is damaged: {error}") from error
    batches.append(
        {
            "file": name,
            "n_bytes": len(content),
            "content_hash": hashlib.sha256(content).hexdigest(),
            "n_records": len(table),
        }
    )
    names = pa.repeat(pa.scalar(name), len(table))
    yield table.append_column("source_file", names)


def delete_merged(folder: Path, grace_seconds: float) -> int:
    """Delete files that a compacted file has held for longer than the grace time.

    The caller is the only one that compacts.

    Returns
    -------
    int
        How many files were deleted.
    """
    files = batch_files(folder)
    kept = set(logical_files(files))
    spare = [file for file in files if file not in kept]
    ready = time.time() - grace_seconds
    gone: set[Path] = set()
    for holder in files if spare else ():
        if holder.generation and holder.path.stat().st_ctime <= ready:
            held = [file.path for file in spare if _is_held(file, holder)]
            if held:
                _verify(holder.path)
                gone.update(held)
    for path in gone:
        path.unlink(missing_ok=True)
    if gone:
        sync_folder(folder)
    return len(gone)


def _is_held(file: BatchFile, holder: BatchFile) -> bool:
    names = batch_names(holder.path)
    return batch_names(file.path) < names if file.generation else file.path.name in names


def _verify(path: Path) -> None:
    import pyarrow.parquet as pq

    listed = sum(batch["n_records"] for batch in footer_batches(path))
    if pq.read_metadata(path).num_rows != listed:
        raise StreamError(f"{path} lists {listed} records and does not hold them")


class Compactor:
    """Compacts a folder in a thread of its own, round after round.

    Parameters
    ----------
    folder, policy
        Of `compact`.
    on_merged
        Told how many files a round merged.
    on_problem
        Told in words, and of which kind, when a round failed; the next one tries again.
    seconds
        Between two rounds.
    """

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        on_merged: Callable[[int], None] = lambda _: None,
        on_problem: Callable[[str, str], None] = lambda *_: None,
        seconds: float = ROUND_SECONDS,
    ):
        self._folder, self._policy = folder, policy
        self._on_merged, self._on_problem = on_merged, on_problem
        # With an age of nothing nobody wants to wait for rounds.
        self._seconds = min(seconds, max(0.2, policy.min_age_seconds))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="compaction", daemon=True)

    def start(self) -> None:
        """Begin; the first round is soon."""
        self._thread.start()

    def stop(self) -> None:
        """End; a merge at hand is given up."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                done = compact(self._folder, self._policy, self._stop.is_set)
            except (StreamError, OSError) as error:
                self._on_problem(f"compaction: {error}", "compaction")
            else:
                if done.n_merged:
                    self._on_merged(done.n_merged)
