"""The warehouse's DuckDB file: how it is opened, by builds to write and by commands to read.

It is attached to a DuckDB in memory, and always under the same name. Opened directly, a file is
called after itself: of `hospital.duckdb` DuckDB would not know whether `hospital.top_doctors` is
a table in the schema or a schema in the file.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

NAME = "wardhouse"
SPILLED = "duckdb_temp_"  # how DuckDB names what it spills
HOLDER = re.compile(r"lock is held in (.*?) \(PID (\d+)\)")


def quote(text: str) -> str:
    """Quote a string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def relation(schema: str, name: str) -> str:
    """Name a table or view with its schema, quoted."""
    return f"{identifier(schema)}.{identifier(name)}"


class HeldError(OSError):
    """Another process has the database open; its text is cause and cure in one line."""


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
        The file. Whoever writes it has it alone, so what is in its spill folder is nobody's.

    Raises
    ------
    HeldError
        When another process has the file open. Other errors are DuckDB's own.
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
    HeldError
        When a build has the file open. Other errors are DuckDB's own.
    """
    import duckdb

    with duckdb.connect(config={"temp_directory": str(spill_folder(database))}) as connection:
        _attach(connection, database, " (read_only)")
        connection.execute(f"use {NAME}")
        yield connection


def rewrite(database: Path, memory: str, *statements: str) -> None:
    """Write the file again with what it holds: no byte of it tells of what was removed.

    It needs the disk for both. Whoever reads the file meanwhile reads the one before to the end.

    Parameters
    ----------
    database
        The file.
    memory
        DuckDB's limit, such as 2GB.
    statements
        What to change in the new file before it takes the name.

    Raises
    ------
    HeldError
        When another process writes the file. Other errors are DuckDB's own and the file system's.
    """
    import duckdb

    from wardhouse.private_files import create_private_directory, keep_private, sync

    keep_private()
    place = database.resolve()
    folder = spill_folder(place)
    create_private_directory(folder)
    # Named as what DuckDB spills: where this is killed, the next build removes it.
    renewed = folder / f"{SPILLED}rewritten"
    renewed.unlink(missing_ok=True)
    config = {"memory_limit": memory, "temp_directory": str(folder)}
    with duckdb.connect(config=config) as connection:
        _attach(connection, database, " (read_only)")
        connection.execute(f"attach {quote(str(renewed))} as renewed")
        connection.execute(f"copy from database {NAME} to renewed")
        connection.execute("use renewed")
        for statement in statements:
            connection.execute(statement)
        connection.execute("use memory")
        connection.execute("detach renewed")
        sync(renewed)
        # No build can begin before: this has the file, and reads it only.
        renewed.replace(place)
        sync(place.parent)
    if not any(folder.iterdir()):
        folder.rmdir()


def _attach(connection: duckdb.DuckDBPyConnection, database: Path, options: str) -> None:
    # By its whole path: what is before a colon would be taken for an extension of DuckDB.
    import duckdb

    try:
        connection.execute(f"attach {quote(str(database.absolute()))} as {NAME}{options}")
    except duckdb.IOException as error:
        holder = HOLDER.search(str(error))
        if holder is None and "Could not set lock" not in str(error):
            raise
        who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
        raise HeldError(
            f"{database} is in use by {who}: wait until it ends, or end it, and try again"
        ) from error


def _clear(folder: Path) -> None:
    left = list(folder.glob(f"{SPILLED}*")) if folder.is_dir() else []
    for path in left:
        path.unlink()
    if left and not any(folder.iterdir()):
        folder.rmdir()
