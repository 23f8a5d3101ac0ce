"""The one reader of tables that reports have: answers come as pandas frames."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wardhouse.warehouse import open_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

NAME = re.compile(r"[a-z_]+\.[a-z_]+")


class ReportError(Exception):
    """A report that cannot be made; its text is cause and cure in one line."""


@dataclass(frozen=True)
class Few:
    """How many rows of a large table are read: the first of each group.

    Attributes
    ----------
    most : int
        Rows of a group.
    per : tuple of str
        Columns that make the groups.
    by : str
        Column that orders a group. A surrogate key is a hash, so its order is as good as chance,
        and the same for every report.
    """

    most: int
    per: tuple[str, ...]
    by: str


class Read(Protocol):
    """What reads a table of the warehouse, named as `schema.table`, as a frame."""

    def __call__(
        self, table: str, few: Few | None = None, within: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Read a table.

        Parameters
        ----------
        table
            Its name as `schema.table`.
        few
            Which of its rows, where not all.
        within
            Only rows that are like one of these in each of their columns.
        """


@contextmanager
def open_tables(database: Path) -> Iterator[Read]:
    """Give what reads the tables of a warehouse.

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

    def read(
        table: str, few: Few | None = None, within: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        if not NAME.fullmatch(table):
            raise ValueError(f"{table!r} is no schema.table")
        query = f"from {table}"
        if within is not None:
            connection.register("within_frame", within)
            query += f" semi join within_frame using ({', '.join(within.columns)})"
        if few is not None:
            place = f"partition by {', '.join(few.per)} order by {few.by}"
            query += f" qualify row_number() over ({place}) <= {few.most}"
        try:
            return connection.execute(query).df()
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
