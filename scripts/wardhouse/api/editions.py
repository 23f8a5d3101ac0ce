"""The version that a server answers from, replaced as a whole when another one is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wardhouse.api.tables import Table, load
from wardhouse.publish import read, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from starlette.types import ASGIApp

    from wardhouse.routes import Route


@dataclass(frozen=True)
class Edition:
    """A version in memory, or what a stream's cycle left; a later one changes nothing of it.

    Attributes
    ----------
    version : str
        Its number.
    manifest : dict
        What it tells of itself.
    tables : dict of str to Table
        Those that routes answer from, by schema and name.
    """

    version: str
    manifest: dict[str, Any]
    tables: dict[str, Table]


class Editions:
    """Loads what is published, and again when another version is.

    A request that has begun keeps the edition that it began with; memory is given back when its
    last request ends. The folder of a version is held only while it is read.

    Parameters
    ----------
    folder
        Of all versions.
    audience
        internal or shared.
    routes
        They name the tables that are needed; patient-level tables come besides.
    memory
        DuckDB's limit while it reads.

    Attributes
    ----------
    current : tuple of Edition and application
        One object, so that a request sees both of one version.
    live : Edition, optional
        What a stream left, where it publishes here.
    n_failed : int
        How often a newer version could not be loaded.
    """

    current: tuple[Edition, ASGIApp]
    live: Edition | None

    def __init__(self, folder: Path, audience: str, routes: Iterable[Route], memory: str):
        self.audience = audience
        self._folder, self._memory = folder, memory
        self._names: dict[bool, set[str]] = {False: set(), True: set()}
        for route in routes:
            self._names[route.is_live].add(route.table)
        self.n_failed = 0

    def load(self, application_of: Callable[[Edition], ASGIApp]) -> None:
        """Load what is published for the first time.

        Parameters
        ----------
        application_of
            Makes the application of an edition, before requests get it.

        Raises
        ------
        PublishError
            When nothing is published, or it cannot be read.
        """
        self._application_of = application_of
        self.live = None
        self.current = self._load()
        self._load_live()

    def refresh(self) -> None:
        """Load what is published now, if it is another version; on a fault what there is stays.

        Raises
        ------
        Exception
            Whatever a damaged version causes; it is counted.
        """
        try:
            if versions.current(self._folder) != self.current[0].version:
                self.current = self._load()
            self._load_live()
        except Exception:
            self.n_failed += 1
            raise

    def _load(self) -> tuple[Edition, ASGIApp]:
        with read.newest(self._folder, self.audience) as snapshot:
            tables = load(snapshot, self._names[False], self._memory)
            edition = Edition(snapshot.version, snapshot.manifest, tables)
        return edition, self._application_of(edition)

    def _load_live(self) -> None:
        """Load what a stream left; only internal readers get it."""
        if self.audience != "internal" or not self._names[True]:
            return
        named = versions.current(self._folder / read.LIVE)
        if named is None:
            self.live = None
        elif self.live is None or named != self.live.version:
            with read.live(self._folder) as snapshot:
                tables = load(snapshot, self._names[True], self._memory)
                self.live = Edition(snapshot.version, snapshot.manifest, tables)
