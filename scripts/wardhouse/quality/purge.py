# ruff: noqa: S608 - the texts put into SQL are the project's own names, quoted
"""The purge of quarantine: what was refused long ago keeps its reason and loses its content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb

from wardhouse.project import meta_of, read_yaml
from wardhouse.warehouse import (
    NAME,
    identifier,
    open_to_read,
    open_to_write,
    quote,
    rewrite,
    spill_folder,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RETENTION = "quarantine_retention_days"
PURGED = '"purged"'  # in the place of a text that is counted; JSON, too, for some texts are
UNFINISHED = "landing.unfinished_purge"
DECIDED_LATER = "conflicting_"  # such a record may count again when another file comes or goes
BASE = "base_"


class PurgeError(Exception):
    """Quarantine cannot be purged; its text is cause and cure in one line."""


@dataclass(frozen=True)
class Held:
    """What a feed has in quarantine beyond its retention.

    Attributes
    ----------
    area, feed : str
        The feed.
    n_records : int
        Records that broke a rule.
    n_lines : int
        Lines and documents that could not be read.
    """

    area: str
    feed: str
    n_records: int
    n_lines: int


@dataclass(frozen=True)
class Purge:
    """What was purged or would be, of feeds that have any, and whether the file was rewritten."""

    held: list[Held]
    is_rewritten: bool


def retention_days(project_dir: Path) -> int | None:
    """Read the project's variable `quarantine_retention_days`; None keeps everything.

    Raises
    ------
    PurgeError
        When it is no whole number of days.
    """
    days = read_yaml(project_dir / "dbt_project.yml")["vars"].get(RETENTION)
    if days is not None and (not isinstance(days, int) or isinstance(days, bool) or days < 0):
        raise PurgeError(
            f"{RETENTION} in dbt_project.yml is {days!r}: give a whole number of days, or null to "
            "keep everything"
        )
    return days


def identifying_columns(project_dir: Path) -> dict[str, list[str]]:
    """Name the columns of each base model that identify a person (`pii: direct`), as declared."""
    found = {}
    for path in sorted((project_dir / "models" / "staging").glob("*/_*__models.yml")):
        for model in read_yaml(path)["models"]:
            if model["name"].startswith(BASE):
                found[model["name"]] = [
                    column["name"]
                    for column in model.get("columns", [])
                    if meta_of(column).get("pii") == "direct"
                ]
    return found


def purge(
    database: Path,
    identifying: Mapping[str, list[str]],
    days: int,
    *,
    is_dry_run: bool = False,
    rewrites: bool = False,
    memory: str = "2GB",
) -> Purge:
    """Remove the content of records that were refused from files that landed long ago.

    Record and reason stay, so that every count stays as it is. What the reason quotes goes, and so
    do the columns that identify a person; of a record in conflict they stay, for a later file may
    decide it. The database is then written again without what was removed.

    Parameters
    ----------
    database
        The warehouse's DuckDB file.
    identifying
        Columns of base models that identify a person, by model.
    days
        Since the record's file landed.
    is_dry_run
        Whether to count only.
    rewrites
        Whether to write the file again though nothing is removed: DuckDB leaves in it what builds
        deleted.
    memory
        DuckDB's limit, such as 2GB.

    Raises
    ------
    PurgeError
        When there is no warehouse, or it cannot be written.
    HeldError
        When another process has it.
    """
    if not database.is_file():
        raise PurgeError(f"there is no warehouse at {database}: nothing to purge")
    before = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    try:
        if is_dry_run:
            with open_to_read(database) as connection:
                return Purge(_counted(connection, before), False)
        config = {"memory_limit": memory, "temp_directory": str(spill_folder(database))}
        with duckdb.connect(config=config) as connection:
            open_to_write(connection, database)
            connection.execute(f"use {NAME}")
            held = _counted(connection, before)
            connection.execute("begin")
            if held:
                _remove(connection, identifying, before)
                connection.execute(f"create table if not exists {UNFINISHED} as select 1 as one")
            connection.execute("commit")
            is_unfinished = bool(_columns(connection, "landing", "unfinished_purge"))
        # Until then what was removed is in blocks of the file that nothing uses any more.
        if is_unfinished or rewrites:
            rewrite(database, memory, f"drop table if exists {UNFINISHED}")
        return Purge(held, is_unfinished or rewrites)
    except duckdb.CatalogException as error:
        raise PurgeError(f"{database} has no quarantine yet: run wardhouse build first") from error
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise PurgeError(f"{database} cannot be purged: {first}") from error


def _bases(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """Name the base models that are built: table, area and feed."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database() "
        "and schema_name = 'staging' and starts_with(table_name, ?) order by table_name",
        [BASE],
    ).fetchall()
    return [(name, *name.removeprefix(BASE).split("__", 1)) for (name,) in tables]


def _columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> set[str]:
    found = connection.execute(
        "select column_name from duckdb_columns() where database_name = current_database() "
        "and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()
    return {name for (name,) in found}


def _old_files(area: str, feed: str, before: datetime) -> str:
    return (
        f"select source_file from landing.landed_files where area = {quote(area)} "
        f"and feed = {quote(feed)} and landed_at < '{before.isoformat(sep=' ')}'"
    )


def _counted(connection: duckdb.DuckDBPyConnection, before: datetime) -> list[Held]:
    held = []
    connection.execute(
        "select 1 from landing.unreadable_records where false"
    )  # or nothing was built
    for table, area, feed in _bases(connection):
        files = _old_files(area, feed, before)
        [n_records] = connection.execute(
            f"select count(*) from staging.{identifier(table)} "
            f"where rejected_record is not null and source_file in ({files})"
        ).fetchone()
        [n_lines] = connection.execute(
            "select count(*) from landing.unreadable_records where record_text is not null "
            f"and area = ? and feed = ? and source_file in ({files})",
            [area, feed],
        ).fetchone()
        if n_records or n_lines:
            held.append(Held(area, feed, n_records, n_lines))
    return held


def _remove(
    connection: duckdb.DuckDBPyConnection, identifying: Mapping[str, list[str]], before: datetime
) -> None:
    for table, area, feed in _bases(connection):
        files = _old_files(area, feed, before)
        known = identifying.get(table, [])
        blanked = [
            f"{identifier(name)} = if({identifier(name)} is null or "
            f"starts_with(rejection_reason, {quote(DECIDED_LATER)}), {identifier(name)}, "
            f"{quote(PURGED)})"
            for name in sorted(_columns(connection, "staging", table).intersection(known))
            if name != "rejected_record"
        ]
        # What a reason quotes of the record follows a colon and a blank.
        changes = ["rejected_record = null", _code_of("rejection_reason"), *blanked]
        connection.execute(
            f"update staging.{identifier(table)} set {', '.join(changes)} "
            f"where rejected_record is not null and source_file in ({files})"
        )
        of_feed = f"area = {quote(area)} and feed = {quote(feed)} and source_file in ({files})"
        connection.execute(
            f"update landing.unreadable_records set record_text = null, {_code_of('error')} "
            f"where {of_feed}"
        )
        if _columns(connection, "quality", "quarantine"):
            connection.execute(
                f"update quality.quarantine set record = null, {_code_of('reason')} where {of_feed}"
            )


def _code_of(reason: str) -> str:
    return f"{reason} = split_part({reason}, ': ', 1)"
