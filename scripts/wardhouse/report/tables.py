"""The one reader of tables that reports have: answers come as pandas frames."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wardhouse.warehouse import open_to_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

    Read = Callable[[str], pd.DataFrame]

NAME = re.compile(r"[a-z_]+\.[a-z_]+")


class ReportError(Exception):
    """A report that cannot be made; its text is cause and cure in one line."""


@contextmanager
def open_tables(database: Path) -> Iterator[Read]:
    """Give a function that reads a table of the warehouse, named as `schema.table`, as a frame.

    Parameters
    ----------
    database
        The warehouse's DuckDB file. It is opened to read, and closed at the end.

    Raises
    ------
    ReportError
        When there is no file, another process holds it, it cannot be read, or a table that is
        asked for was not built.
    """
    import duckdb

    if not database.is_file():
        raise ReportError(f"there is no warehouse at {database}: run wardhouse build first")

    def read(table: str) -> pd.DataFrame:
        if not NAME.fullmatch(table):
            raise ValueError(f"{table!r} is no schema.table")
        try:
            return connection.execute(f"from {table}").df()
        except duckdb.CatalogException as error:
            raise ReportError(
                f"{database} has no {table}: build the report's area by wardhouse build"
            ) from error

    try:
        with open_to_read(database) as connection:
            yield read
    except OSError as error:  # held by another process
        raise ReportError(str(error)) from error
    except duckdb.Error as error:
        raise ReportError(f"{database} is no warehouse that can be read: {error}") from error
