"""What the API answers: areas and quality declare their routes, and the API reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Route:
    """A list of the rows of one published table, and each row by its name.

    Attributes
    ----------
    path : str
        Of the list.
    table : str
        Schema and name, as published.
    summary : str
        What it answers, in one line.
    filters : mapping of str to str
        Parameters, each with the column that it is compared with; texts in any case.
    ranges : tuple of str
        Columns of numbers or dates that take `min_` and `max_`.
    name : str, optional
        The column by which one row is found, below the path; None finds none.
    aliases : tuple of str
        Further paths with the same answers.
    is_live : bool
        Whether a stream publishes the table after each cycle, instead of `wardhouse publish`.
    """

    path: str
    table: str
    summary: str
    filters: Mapping[str, str] = field(default_factory=dict)
    ranges: tuple[str, ...] = ()
    name: str | None = None
    aliases: tuple[str, ...] = ()
    is_live: bool = False


def same(*columns: str) -> dict[str, str]:
    """Give filters that are called as their columns are."""
    return {column: column for column in columns}
