"""Growing files of lines as a source."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from wardhouse.streaming.batches import LastRecord, StreamError, StreamKey
from wardhouse.streaming.sources.base import Chains, Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LINE_SUFFIXES = (".ndjson", ".jsonl")
READ_BYTES = 8 * 2**20
IDLE_SECONDS = 0.1  # between two looks at a directory that has nothing new


@dataclass
class _Lines:
    """A file that is read: where its next line begins, and what it was when last looked at."""

    path: Path
    next: int
    inode: int = -1
    size: int = -1  # when no whole line followed `next`
    present: int = 0  # its size when the source was opened


class DirectorySource:
    """A directory of growing files of lines (`.ndjson`, `.jsonl`), each a chain of its own.

    A line counts once its newline is there. Its position is the byte at which it begins; the next
    one is read after the last line that landed, which must still be there. Blank lines are no
    records.

    Parameters
    ----------
    directory
        Looked at again and again; files may appear in it.
    """

    unit = "bytes"

    def __init__(self, directory: Path):
        self._directory = directory
        self._files: dict[StreamKey, _Lines] = {}
        self._chains: Chains

    def open(self, chains: Chains) -> None:
        """Look at the files that are there.

        Raises
        ------
        StreamError
            When there is no such directory, or a file is not the one that landed.
        """
        self._chains = chains
        self._discover()
        for file in self._files.values():
            file.present = file.path.stat().st_size

    def _discover(self) -> None:
        try:
            names = sorted(os.listdir(self._directory))  # noqa: PTH208 - names are all it needs
        except OSError as error:
            raise StreamError(f"cannot read {self._directory}: {error.strerror}") from error
        for name in names:
            key = StreamKey(name)
            if key not in self._files and name.endswith(LINE_SUFFIXES) and name[0] != ".":
                self._place(key)

    def _place(self, key: StreamKey) -> None:
        path = self._directory / key.stream
        last = self._chains.last_record(key)
        present = self._files[key].present if key in self._files else 0
        start = 0 if last is None else _line_end(path, last)
        self._files[key] = _Lines(path, start, present=present)
        self._chains.begin(key, start)

    def read(self, count: int, seconds: float) -> list[Chunk]:
        """Read whole lines; see `Source`.

        Raises
        ------
        StreamError
            When a file shrank or was replaced.
        """
        deadline = time.monotonic() + seconds
        while True:
            self._discover()
            chunks = []
            for key, file in self._files.items():
                if count > 0 and (chunk := self._read_lines(key, file, count)):
                    chunks.append(chunk)
                    count -= len(chunk)
            remaining = deadline - time.monotonic()
            if chunks or remaining <= 0:
                return chunks
            time.sleep(min(IDLE_SECONDS, remaining))

    def _read_lines(self, key: StreamKey, file: _Lines, count: int) -> Chunk | None:
        try:
            status = file.path.stat()
        except FileNotFoundError:  # all that it had is landed or lost; it may come back
            return None
        if status.st_size < file.next:
            raise StreamError(
                f"{file.path} shrank: {file.next} bytes of it were read, {status.st_size} are left"
            )
        if file.inode not in (-1, status.st_ino):
            last = self._chains.last_record(key)
            if last is not None:
                _line_end(file.path, last)
        if (status.st_ino, status.st_size) == (file.inode, file.size):
            return None
        file.inode = status.st_ino
        lines = _whole_lines(file.path, file.next)
        if not lines:
            file.size = status.st_size
            return None
        lines = lines[:count]
        begins = list(accumulate((len(line) + 1 for line in lines), initial=file.next))
        file.next, file.size = begins[-1], -1
        records = [
            (line.removesuffix(b"\r"), begin, begin + len(line) + 1)
            for line, begin in zip(lines, begins, strict=False)
            if line.strip()
        ]
        if not records:
            return None
        payloads, offsets, ends = map(list, zip(*records, strict=True))
        return Chunk(key, payloads, offsets, ends[-1])

    def rewind(self, keys: Sequence[StreamKey]) -> None:
        """Read on from what has landed; see `Source`."""
        for key in keys:
            self._place(key)

    def lag(self, key: StreamKey, landed: int) -> int | None:
        """Return the bytes after what has landed, of a last line without newline too."""
        file = self._files[key]
        try:
            return max(0, file.path.stat().st_size - landed)
        except FileNotFoundError:
            return None

    def is_drained(self, _landed: Callable[[StreamKey], int]) -> bool:
        """Tell whether every whole line that was there at the opening was read."""
        return all(
            file.next >= file.present or file.size >= file.present or not file.path.exists()
            for file in self._files.values()
        )

    def close(self) -> None:
        """Forget the files."""
        self._files.clear()


def _whole_lines(path: Path, begin: int) -> list[bytes]:
    with path.open("rb") as file:
        if begin:
            file.seek(begin - 1)
            if file.read(1) != b"\n":
                raise StreamError(f"{path} was replaced: no line begins at byte {begin} any more")
        content = bytearray()
        while part := file.read(READ_BYTES):
            content += part
            if b"\n" in part:
                break
    return bytes(content[: content.rfind(b"\n") + 1]).split(b"\n")[:-1]


def _line_end(path: Path, last: LastRecord) -> int:
    """Find where the last line that landed ends, and that it is still what landed."""
    with path.open("rb") as file:
        file.seek(last.offset)
        line = file.readline()
    text = line.rstrip(b"\n").removesuffix(b"\r").decode("utf-8", "backslashreplace")
    if not line.endswith(b"\n") or text != last.payload:
        size = path.stat().st_size
        raise StreamError(
            f"{path} ({size} bytes) was truncated or replaced: the line that landed from byte "
            f"{last.offset} is not there any more"
        )
    return last.offset + len(line)
