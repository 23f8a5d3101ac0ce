"""A warehouse that is built again while its raw files change, and clean builds beside it."""

import shutil
from pathlib import Path

from builds import Builder, Outcome
from contents import assert_same


class Chain:
    """Raw files that change, the warehouse that is built on them again, and clean builds.

    Parameters
    ----------
    builder
        Of the project.
    raw
        The raw directory.
    place
        Folder for the warehouses.
    arguments
        The command that builds, where nothing else is said.
    areas, start
        As the builder takes them.
    at_least
        How many tables a comparison is about at least.
    """

    def __init__(
        self,
        builder: Builder,
        raw: Path,
        place: Path,
        *arguments: str,
        at_least: int,
        areas: str = "",
        start: Path | None = None,
    ):
        self.builder, self.raw, self.place, self.arguments = builder, raw, place, arguments
        self.at_least, self.areas, self.start = at_least, areas, start
        self.warehouse = place / "again"
        self.warehouse.mkdir(parents=True)
        self.n_clean = 0

    @property
    def database(self) -> Path:
        """Give the database that is built again."""
        return self.warehouse / "wardhouse.duckdb"

    def run(self, place: Path, *arguments: str) -> Outcome:
        """Run a command in a place, whatever becomes of it."""
        arguments = arguments or self.arguments
        return self.builder(self.raw, place, *arguments, areas=self.areas, start=self.start)

    def build(self, *arguments: str) -> Outcome:
        """Build again, what is said or as ever."""
        outcome = self.run(self.warehouse, *arguments)
        assert outcome.success, outcome.message
        return outcome

    def build_clean(self, *arguments: str) -> Outcome:
        """Build on the same files in a new database.

        Under a new name: DuckDB gives a path that the process still has open from memory, and what
        was there before would be read as what is there now.
        """
        shutil.rmtree(self.place / f"clean_{self.n_clean}", ignore_errors=True)
        self.n_clean += 1
        outcome = self.run(self.place / f"clean_{self.n_clean}", *arguments)
        assert outcome.success, outcome.message
        return outcome

    def build_as_clean(self, *arguments: str) -> Outcome:
        """Build after a change and hold the result against a clean build."""
        found, expected = self.build(*arguments), self.build_clean(*arguments)
        assert_same(found.database, expected.database, self.at_least)
        return found
