"""Readers of what is published: one version, resolved once, and DuckDB that sees nothing else."""

from __future__ import annotations

import fcntl
import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wardhouse.publish.versions import MANIFEST, PublishError, current, locked
from wardhouse.warehouse import identifier, quote, relation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    import duckdb

LIVE = "live"  # folder of what streams leave, beside the versions


@dataclass(frozen=True)
class Snapshot:
    """What an audience gets of a version; while it is open no publisher removes the version.

    Attributes
    ----------
    version : str
        Its number.
    folder : Path
        Where the audience's files are.
    manifest : dict
        What they tell of themselves: `manifest.json`.
    made_by : str
        The command that makes them again.
    """

    version: str
    folder: Path
    manifest: dict[str, Any]
    made_by: str
    _held: ExitStack

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


def newest(folder: Path, audience: str) -> Snapshot:
    """Open the version that the pointer names now; what is published later does not change it.

    Parameters
    ----------
    folder
        Of all versions (`WARDHOUSE_PUBLISH_DIR`).
    audience
        internal or shared.

    Raises
    ------
    PublishError
        When nothing was published there, or what was is damaged.
    """
    return _open(folder, audience, "wardhouse publish")


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
    return _open(folder / LIVE, "internal", "wardhouse stream")


def _open(folder: Path, audience: str, command: str) -> Snapshot:
    try:
        return _newest(folder, audience, command)
    except OSError as error:
        raise PublishError(
            f"{folder} cannot be read: {error.strerror}; permit it, or set WARDHOUSE_PUBLISH_DIR "
            "to another"
        ) from error


def _newest(folder: Path, audience: str, command: str) -> Snapshot:
    while True:
        version = current(folder)
        if version is None:
            raise PublishError(f"nothing is published in {folder}: run {command} first")
        path = folder / version
        try:
            return _snapshot(path, audience, command)
        except FileNotFoundError as error:
            if current(folder) == version:
                raise _damaged(path, command) from error
            # it was replaced and removed since the pointer was read


def _snapshot(path: Path, audience: str, command: str) -> Snapshot:
    with ExitStack() as held:
        held.enter_context(locked(path, fcntl.LOCK_SH))
        manifest = (path / audience / MANIFEST).read_text(encoding="utf-8")
        try:
            told = json.loads(manifest)
        except ValueError as error:
            raise _damaged(path, command) from error
        return Snapshot(path.name, path / audience, told, command, held.pop_all())


def _damaged(version: Path, command: str) -> PublishError:
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
        raise _damaged(snapshot.folder, snapshot.made_by) from error
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
        name = relation(table["schema"], table["table"])
        lines.append(
            f"create or replace view {name} as from read_parquet({quote(place + table['file'])});"
        )
        lines.append(f"comment on view {name} is {quote(table['description'])};")
    return "\n".join(lines) + "\n"
