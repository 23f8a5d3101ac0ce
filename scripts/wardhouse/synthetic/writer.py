"""Writes records as lines, block by block, by SQL of an in-memory DuckDB."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import duckdb
    import numpy as np


class Writer:
    """Writes blocks of rows as lines of text files.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        A connection that knows the macros.
    scratch : pathlib.Path
        A file to use on the way.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, scratch: Path) -> None:
        self._connection = connection
        self._scratch = scratch

    def write(
        self,
        path: Path,
        query: str,
        blocks: Iterable[dict[str, np.ndarray]],
        head: str,
        tail: str = "",
    ) -> None:
        """Write a file whole: head, the lines that the query makes of each block, tail."""
        unfinished = path.with_name(path.name + ".unfinished")
        with unfinished.open("wb") as target:
            target.write(head.encode())
            for block in blocks:
                # The only accented letter is the one to be badly encoded.
                target.write(self.lines(query, block).replace(b"\xc3\xa9", b"\xe9"))
            target.write(tail.encode())
        unfinished.replace(path)

    def lines(self, query: str, block: dict[str, np.ndarray]) -> bytes:
        """Give the lines that the query makes of a block, each with its end."""
        self._connection.register("block", block)
        self._connection.sql(query).write_csv(
            str(self._scratch), header=False, sep="\x1f", quotechar="", escapechar=""
        )
        return self._scratch.read_bytes()

    def define(self, name: str, meaning: str) -> None:
        """Give a macro another meaning."""
        self._connection.execute(f"create or replace macro {name} as {meaning}")


@contextlib.contextmanager
def open_writer(macros: dict[str, str]) -> Iterator[Writer]:
    """Open a database in memory that knows the sample's words, and a scratch folder beside it."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="wardhouse-sample-") as folder:
        settings = {"memory_limit": "1GB", "temp_directory": folder}
        with duckdb.connect(":memory:", config=settings) as connection:
            for name, meaning in macros.items():
                connection.execute(f"create macro {name} as {meaning}")
            yield Writer(connection, Path(folder) / "block.csv")


BLOCK_RECORDS = 500_000


def cuts(start: int, stop: int) -> Iterator[slice]:
    """Cut a range of records into blocks."""
    for begin in range(start, stop, BLOCK_RECORDS):
        yield slice(begin, min(begin + BLOCK_RECORDS, stop))
