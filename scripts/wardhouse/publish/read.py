"""Readers of what is published: one version, resolved once, and DuckDB that sees nothing else."""

from __future__ import annotations

import fcntl
import json
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from wardhouse.publish.versions import MANIFEST, PublishError, current
from wardhouse.warehouse import identifier, quote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    import duckdb

LIVE = "live"  # folder of what streams leave, beside the versions


@dataclass(frozen=True)
class Snapshot:
    """A published version that is being read; while it is open no publisher removes it.

    Attributes
    ----------
    version : str
        Its number.
    folder : Path
        Where its files are.
    manifest : dict
        What it tells of itself: `manifest.json`.
    """

    version: str
    folder: Path
    manifest: dict[str, Any]
    _held: IO[str]

    def close(self) -> None:
        """Let go of it."""
        self._held.close()

    def __enter__(self) -> Snapshot:
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of it."""
        self.close()


def newest(folder: Path) -> Snapshot:
    """Open the version that the pointer names now; what is published later does not change it.

    Parameters
    ----------
    folder
        Of all versions (`WARDHOUSE_PUBLISH_DIR`).

    Raises
    ------
    PublishError
        When nothing was published there, or what was is damaged.
    """
    return _open(folder, "wardhouse publish")


def live(folder: Path) -> Snapshot:
    """Open what the last cycle of a stream left; a later cycle does not change it.

    Parameters
    ----------
    folder
        Of all versions (`WARDHOUSE_PUBLISH_DIR`).

    Raises
    ------
    PublishError
        When no stream left anything there, or what it left is damaged.
    """
    return _open(folder / LIVE, "wardhouse stream")


def _open(folder: Path, command: str) -> Snapshot:
    try:
        return _newest(folder, command)
    except OSError as error:
        raise PublishError(
            f"{folder} cannot be read: {error.strerror}; permit it, or set WARDHOUSE_PUBLISH_DIR "
            "to another"
        ) from error


def _newest(folder: Path, command: str) -> Snapshot:
    while True:
        version = current(folder)
        if version is None:
            raise PublishError(f"nothing is published in {folder}: run {command} first")
        path = folder / version / MANIFEST
        try:
            held = path.open(encoding="utf-8")
        except FileNotFoundError as error:
            if current(folder) == version:
                raise _damaged(folder / version, command) from error
            continue  # it was replaced and removed since the pointer was read
        fcntl.flock(held, fcntl.LOCK_SH)
        try:
            if path.exists():
                return Snapshot(version, folder / version, json.load(held), held)
        except ValueError as error:
            held.close()
            raise _damaged(folder / version, command) from error
        held.close()


def _damaged(version: Path, command: str = "wardhouse publish") -> PublishError:
    return PublishError(f"{version} is damaged: run {command} again")


def open_views(snapshot: Snapshot, memory: str) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB in memory with a view of each table, that reads no other file.

    Parameters
    ----------
    snapshot
        The version; it stays open as long as the connection is used.
    memory
        DuckDB's limit, such as 2GB.

    Returns
    -------
    duckdb.DuckDBPyConnection
        Its settings are locked. Statements that write files could still write into the version's
        own folder: whoever passes on somebody's statements lets questions through alone.

    Raises
    ------
    PublishError
        When a file is missing or is no Parquet.
    """
    import duckdb

    connection = duckdb.connect(config={"memory_limit": memory, "temp_directory": ""})
    place = f"{snapshot.folder.absolute()}/"
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"set allowed_directories = [{quote(place)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    try:
        connection.execute(views(snapshot.manifest["tables"], place))
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        connection.close()
        raise _damaged(snapshot.folder) from error
    return connection


def views(tables: Iterable[dict[str, Any]], place: str = "") -> str:
    """Write DuckDB's views over the files of a version.

    Parameters
    ----------
    tables
        As the manifest of the version lists them.
    place
        What comes before the path of a file: nothing, where DuckDB is started in the folder.
    """
    schemas = sorted({table["schema"] for table in tables})
    lines = [f"create schema if not exists {identifier(schema)};" for schema in schemas]
    for table in tables:
        name = f"{identifier(table['schema'])}.{identifier(table['table'])}"
        lines.append(
            f"create or replace view {name} as from read_parquet({quote(place + table['file'])});"
        )
        lines.append(f"comment on view {name} is {quote(table['description'])};")
    return "\n".join(lines) + "\n"
