"""Opening the warehouse's DuckDB file: who holds it is said in one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

HOLDER = re.compile(r"lock is held in (.*?) \(PID (\d+)\)")


class HeldError(OSError):
    """Another process has the database open; its text is cause and cure in one line."""


def open_database(
    path: Path, *, read_only: bool = False, **settings: Any
) -> duckdb.DuckDBPyConnection:
    """Open a database, alone or to read beside other readers.

    Parameters
    ----------
    path
        The DuckDB file; made where it is missing, unless it is only to be read.
    read_only
        Whether others may read at the same time.
    settings
        Further arguments of `duckdb.connect`.

    Raises
    ------
    HeldError
        Where another process holds it. Other errors are DuckDB's own.
    """
    import duckdb

    try:
        return duckdb.connect(str(path), read_only=read_only, **settings)
    except duckdb.IOException as error:
        holder = HOLDER.search(str(error))
        if holder is None and "Could not set lock" not in str(error):
            raise
        who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
        raise HeldError(
            f"{path} is in use by {who}: wait until it ends, or end it, and try again"
        ) from error
