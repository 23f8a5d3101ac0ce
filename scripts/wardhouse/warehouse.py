"""The warehouse's DuckDB file: how it is opened, by builds to write and by commands to read.

It is attached to a DuckDB in memory, and always under the same name. Opened directly, a file is
called after itself: of `hospital.duckdb` DuckDB would not know whether `hospital.top_doctors` is
a table in the schema or a schema in the file.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

NAME = "wardhouse"


def spill_folder(database: Path) -> Path:
    """Return where DuckDB puts what does not fit into memory: beside the file."""
    return Path(f"{database.absolute()}.tmp")


def open_to_write(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Attach the file, created private, and remove what a process that was killed has spilled.

    Parameters
    ----------
    connection
        A connection to a DuckDB in memory.
    database
        The file. Whoever writes it has it alone, so what lies in its spill folder is nobody's.

    Raises
    ------
    duckdb.IOException
        When another process has the file open, or it cannot be opened.
    """
    from wardhouse.private_files import keep_private, restrict

    keep_private()
    _attach(connection, database, "")
    for path in (database, Path(f"{database}.wal")):
        restrict(path)
    _clear(spill_folder(database))


@contextmanager
def open_to_read(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection to the file that cannot write it, and close it.

    Raises
    ------
    duckdb.IOException
        When a build has the file open, or it cannot be opened.
    """
    import duckdb

    with duckdb.connect(config={"temp_directory": str(spill_folder(database))}) as connection:
        _attach(connection, database, " (read_only)")
        connection.execute(f"use {NAME}")
        yield connection


def _attach(connection: duckdb.DuckDBPyConnection, database: Path, options: str) -> None:
    # By its whole path: what stands before a colon would be taken for an extension of DuckDB.
    path = str(database.absolute()).replace("'", "''")
    connection.execute(f"attach '{path}' as {NAME}{options}")


def _clear(folder: Path) -> None:
    left = list(folder.glob("duckdb_temp_*")) if folder.is_dir() else []
    for path in left:
        path.unlink()
    if left and not any(folder.iterdir()):
        folder.rmdir()
