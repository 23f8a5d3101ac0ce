"""Loads a published version into PostgreSQL, for BI tools.

Each version is a schema of its own, `wardhouse_000042`, written in one transaction: of a load that
is killed nothing is left. Then the views of `wardhouse` turn to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wardhouse.publish.read import open_views
from wardhouse.publish.serving.column_types import Typed, check, check_file, typed
from wardhouse.publish.serving.server import (
    MARK,
    STABLE,
    RefusedError,
    commit,
    do,
    do_all,
    reader_of,
    refusal,
    said,
)
from wardhouse.publish.serving.views import ABOUT, OURS, PATIENCE, remove_old, turn
from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import identifier, quote, relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    from adbc_driver_postgresql.dbapi import Connection

    from wardhouse.publish.read import Snapshot

NAME_BYTES = 63  # PostgreSQL cuts longer names without a word
BATCH = 100_000  # rows


@dataclass(frozen=True)
class Loaded:
    """What a load did.

    Attributes
    ----------
    schema : str
        Of the version's own tables.
    n_tables, n_rows : int
        In it.
    is_new : bool
        Whether they were loaded now, and were not there before.
    still_read : list of str
        Schemas of older versions that could not be removed: somebody reads them, or has views on
        them.
    """

    schema: str
    n_tables: int
    n_rows: int
    is_new: bool
    still_read: list[str]


def load(
    connection: Connection, snapshot: Snapshot, memory: str, patience: float = PATIENCE
) -> Loaded:
    """Load a version, let `wardhouse` read it, and remove all but it and the one before.

    Parameters
    ----------
    connection
        As `serving` gives it.
    snapshot
        The version, of the audience that was given there.
    memory
        DuckDB's limit, such as 2GB.
    patience
        Seconds to wait until no statement reads `wardhouse`.

    Raises
    ------
    PublishError
        When a table cannot be loaded, or readers do not let go of `wardhouse`. It then reads the
        version that it read.
    """
    manifest = snapshot.manifest
    schema = f"{STABLE}_{snapshot.version}"
    names = {table_name(table): typed(table) for table in served(manifest)}
    is_new = not is_loaded(connection, schema, manifest)
    try:
        if is_new:
            with open_views(snapshot, memory) as views:
                _load(connection, schema, snapshot, views)
        turn(connection, schema, manifest["audience"], patience)
        still_read = remove_old(connection, schema)
    except RefusedError as error:
        raise refusal(connection, error) from error
    n_rows = sum(table["n_rows"] for table in served(manifest))
    return Loaded(schema, len(names), n_rows, is_new, still_read)


def served(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """List the tables of a version that a database takes: all but those of single patients.

    A database tells its readers apart by audience alone, and a version stays there as it was.
    """
    return [table for table in manifest["tables"] if not table.get("is_patient_level")]


def table_name(table: dict[str, Any]) -> str:
    """Name a table in the one schema, by its area first, as a BI tool sorts them."""
    name = f"{table['schema']}__{table['table']}"
    for each in (name, *(column["name"] for column in table["columns"])):
        if len(each.encode()) > NAME_BYTES:
            raise PublishError(
                f"{each} is longer than the {NAME_BYTES} bytes of a name in PostgreSQL: rename it "
                "in the project, and build again"
            )
    return name


def is_loaded(connection: Connection, schema: str, manifest: dict[str, Any]) -> bool:
    """Whether the version is there; what bears its number and is another is moved aside."""
    found = do(connection, f"select to_regnamespace({quote(identifier(schema))})::oid")
    if found == [(None,)]:
        return False
    if schema not in {name for [name] in do(connection, OURS)}:
        raise PublishError(
            f"the schema {schema} of this database was not made by wardhouse as this user: rename "
            "or drop it"
        )
    there = do(
        connection,
        f"select published_at = {quote(manifest['published_at'])}::timestamptz "  # noqa: S608
        f"and audience = {quote(manifest['audience'])} from {identifier(schema)}.{ABOUT}",
    )
    if there != [(True,)]:
        do(connection, f"alter schema {identifier(schema)} rename to {STABLE}_old_{found[0][0]}")
    commit(connection)
    return there == [(True,)]


def _load(
    connection: Connection, schema: str, snapshot: Snapshot, views: duckdb.DuckDBPyConnection
) -> None:
    """Write the version's schema, in one transaction."""
    manifest, name = snapshot.manifest, identifier(schema)
    reader = reader_of(manifest["audience"])
    told = f"{MARK}version {snapshot.version}, published {manifest['published_at']}"
    do(connection, f"create schema {name}")
    do(connection, f"comment on schema {name} is {quote(told)}")
    _write_about(connection, schema, snapshot)
    for table in served(manifest):
        write_table(connection, schema, table, views)
    do(connection, f"grant usage on schema {name} to {reader}")
    do(connection, f"grant select on all tables in schema {name} to {reader}")
    commit(connection)


def _write_about(connection: Connection, schema: str, snapshot: Snapshot) -> None:
    manifest = snapshot.manifest
    period = manifest["data_period"] or {}
    columns = {
        "version": ("text", snapshot.version),
        "audience": ("text", manifest["audience"]),
        "published_at": ("timestamptz", manifest["published_at"]),
        "built_at": ("timestamptz", manifest["built_at"]),
        "build_id": ("text", manifest["build_id"]),
        "git_revision": ("text", manifest["git_revision"]),
        "first_date": ("date", period.get("first_date")),
        "last_date": ("date", period.get("last_date")),
        "is_good": ("boolean", str(manifest["health"]["is_good"]).lower()),
    }
    values = ", ".join(
        f"{'null' if value is None else quote(value)}::{kind} as {name}"
        for name, (kind, value) in columns.items()
    )
    about = f"{identifier(schema)}.{ABOUT}"
    do(connection, f"create table {about} as select {values}, clock_timestamp() as loaded_at")
    do(
        connection,
        f"comment on table {about} is 'The version of all tables of this schema, and its build; "
        "UTC. One row.'",
    )


def write_table(
    connection: Connection, schema: str, table: dict[str, Any], views: duckdb.DuckDBPyConnection
) -> None:
    """Create a table with its key, comments and statistics, and append its rows.

    Parameters
    ----------
    connection
        To PostgreSQL, in a transaction.
    schema
        There.
    table
        As the manifest of the version lists it.
    views
        DuckDB with a view of it.

    Raises
    ------
    PublishError
        When its types have no like, or the data's are not the manifest's.
    """
    columns = typed(table)
    target = relation(schema, table_name(table))
    do(connection, create_table(target, columns))
    append(connection, schema, table, columns, views)
    if key := _key(table, views):
        do(connection, f"alter table {target} add primary key ({key})")
    do_all(connection, comments("table", target, table["description"], columns))
    do(connection, f"analyze {target}")


def append(
    connection: Connection,
    schema: str,
    table: dict[str, Any],
    columns: list[Typed],
    views: duckdb.DuckDBPyConnection,
) -> None:
    """Append the rows of a table by ADBC, each value as its column's type and no other.

    Parameters
    ----------
    connection, schema, table, views
        As `write_table` takes them.
    columns
        Of the table, which is there.

    Raises
    ------
    PublishError
        When the data's types are not the columns', or rows are missing.
    """
    import duckdb
    from adbc_driver_manager import Error

    source = relation(table["schema"], table["table"])
    selected = ", ".join(column.selected for column in columns)
    check_file(table, columns, views.sql(f"from {source}"))
    with connection.cursor() as cursor:
        try:
            query = views.sql(f"select {selected} from {source}")  # noqa: S608
            rows = query.to_arrow_reader(BATCH)
            check(table["name"], columns, rows.schema)
            n_rows = cursor.adbc_ingest(
                table_name(table), rows, mode="append", db_schema_name=schema
            )
        except (Error, duckdb.Error) as error:
            reason = said(error) if isinstance(error, Error) else str(error).partition("\n")[0]
            raise PublishError(
                f"PostgreSQL cannot take {table['name']}: {reason}; mend the model and build, or "
                "free its disk"
            ) from error
    if n_rows != table["n_rows"]:
        raise PublishError(f"{table['name']} has other rows than its manifest: publish again")


def create_table(target: str, columns: list[Typed]) -> str:
    """Write the statement that creates a table in PostgreSQL."""
    typed_columns = (f"{identifier(column.name)} {column.postgresql}" for column in columns)
    return f"create table {target} ({', '.join(typed_columns)})"


def comments(kind: str, target: str, description: str, columns: list[Typed]) -> Iterator[str]:
    """Write the statements that describe a table or view and its columns."""
    yield f"comment on {kind} {target} is {quote(description)}"
    for column in columns:
        if column.description:
            yield (
                f"comment on column {target}.{identifier(column.name)} is "
                f"{quote(column.description)}"
            )


def _key(table: dict[str, Any], views: duckdb.DuckDBPyConnection) -> str:
    """Name the columns of the declared key, where none of them is ever null, for a primary key."""
    names = [identifier(name) for name in table.get("key") or []]
    if not names:
        return ""
    is_null = " or ".join(f"{name} is null" for name in names)
    [[n_null]] = views.sql(
        f"select count(*) from {relation(table['schema'], table['table'])} where {is_null}"  # noqa: S608
    ).fetchall()
    return "" if n_null else ", ".join(names)
