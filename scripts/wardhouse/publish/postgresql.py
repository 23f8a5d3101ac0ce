"""Loads a published version into PostgreSQL, for BI tools: tables of their own, views to read by.

Each version is a schema `wardhouse_000042` with its tables, written in one transaction: of a load
that is killed nothing is left. The schema `wardhouse` has a view of each table. All views turn to
another version in one transaction that locks them first: a statement that names several reads one
version, and so does a transaction. Renaming schemas instead is no such thing: a statement looks
its names up one after the other, and the schemas may be renamed between two of them.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from wardhouse import settings
from wardhouse.publish.column_types import Typed, check, typed
from wardhouse.publish.read import open_views
from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import identifier, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    from adbc_driver_postgresql.dbapi import Connection

    from wardhouse.publish.read import Snapshot

STABLE = "wardhouse"
READER = "wardhouse_reader"
ABOUT = "published"  # the table of one row that tells of the version
MARK = "Wardhouse: "  # begins the comment of each schema that is ours
LOCK = int.from_bytes(b"wardhous", "big")  # of a session: one loader to a database
KEPT = 2  # versions: the one that is read, and the one before
NAME_BYTES = 63  # PostgreSQL cuts longer names without a word
BATCH = 100_000  # rows

# A reader that waits for us while we wait for it is a deadlock, which PostgreSQL ends after its
# deadlock_timeout, one second, at somebody's cost. We give up before that, and try again.
LOCK_MILLISECONDS = 400
PAUSE, PATIENCE, TURN = 0.5, 300.0, 10.0  # seconds between tries, for readers, for another loader

# As libpq reads it: what is before the first @ is user and password, whatever signs it holds.
ADDRESS = re.compile(
    r"postgres(?:ql)?://(?:[^@/]*@)?(?P<hosts>[^/?]*)(?:/[^?]*)?(?:\?(?P<options>.*))?$", re.DOTALL
)
HERE = re.compile(r"/.*|(localhost|127\.0\.0\.1|\[?::1\]?)(:\d*)?")
CONNECT_REFUSED = re.compile(r"connection to server .*? failed: (.*)", re.DOTALL)
SAID = re.compile(r"ERROR:\s+(.*)")
NOT_PERMITTED, LOCKED, STOPPED, DEPENDED_ON = "42501", "55P03", "57014", "2BP01"

OURS = f"""
    select nspname from pg_namespace
    where starts_with(nspname, '{STABLE}_') and obj_description(oid) like '{MARK}%'
"""  # noqa: S608
COLUMNS = """
    select
        pg_class.relname,
        pg_attribute.attname,
        format_type(pg_attribute.atttypid, pg_attribute.atttypmod),
        col_description(pg_class.oid, pg_attribute.attnum),
        obj_description(pg_class.oid)
    from pg_class
    inner join pg_attribute on pg_class.oid = pg_attribute.attrelid
    where pg_class.relnamespace = to_regnamespace({}) and pg_class.relkind in ('r', 'v')
        and pg_attribute.attnum > 0 and not pg_attribute.attisdropped
    order by pg_class.relname, pg_attribute.attnum
"""
HOLDERS = """
    select distinct pg_locks.pid, pg_stat_activity.application_name
    from pg_locks
    inner join pg_class on pg_locks.relation = pg_class.oid
    inner join pg_stat_activity on pg_locks.pid = pg_stat_activity.pid
    where pg_class.relnamespace = to_regnamespace({}) and pg_locks.pid <> pg_backend_pid()
    order by 1
"""


class _RefusedError(Exception):
    """What PostgreSQL said, and its code."""

    def __init__(self, said: str, code: str | None) -> None:
        super().__init__(said)
        self.code = code


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


def audience_of(url: str) -> str:
    """Choose who may read what is loaded there, where nobody said it.

    Parameters
    ----------
    url
        postgresql://…, completed as libpq does by PGHOST and its like.

    Returns
    -------
    str
        internal, where every host is certainly this machine; shared otherwise.

    Raises
    ------
    PublishError
        When it is no address of PostgreSQL.
    """
    found = ADDRESS.match(url)
    if found is None:
        raise PublishError("the address of PostgreSQL begins with postgresql://: give it so")
    variables = settings.environment()
    given = parse_qs(found["options"] or "")
    asked = {name: values[-1] for name, values in given.items()}
    named = [
        asked.get("host") or unquote(found["hosts"]) or variables.get("PGHOST", ""),
        asked.get("hostaddr") or variables.get("PGHOSTADDR", ""),
    ]
    hosts = [host for each in named for host in each.split(",") if host]
    is_elsewhere = asked.get("service") or variables.get("PGSERVICE")
    is_here = not is_elsewhere and all(HERE.fullmatch(host) for host in hosts)
    return "internal" if is_here else "shared"


@contextmanager
def serving(url: str, audience: str, turn: float = TURN) -> Iterator[Connection]:
    """Connect, take the database for this loader alone, and check that a load can succeed.

    Parameters
    ----------
    url
        postgresql://…; what it leaves out libpq takes from PG* variables and ~/.pgpass.
    audience
        internal or shared: of what will be loaded.
    turn
        Seconds to wait for another loader.

    Raises
    ------
    PublishError
        When the server cannot be reached, its schemas are not ours or of the other audience, a
        permission is missing, or another loader is at work.
    """
    from adbc_driver_manager import Error
    from adbc_driver_postgresql import dbapi

    try:
        connection = dbapi.connect(url)
    except Error as error:
        raise _unreachable(str(error)) from None  # whose text may hold the URL's password
    with connection:
        try:
            for setting in (
                "client_encoding = 'UTF8'",
                "standard_conforming_strings = on",
                "timezone = 'UTC'",
                f"lock_timeout = '{round(turn * 1000)}ms'",
            ):
                _do(connection, f"set {setting}")
            connection.commit()
            _take(connection)
            _prepare(connection, audience)
            _do(connection, "set lock_timeout = 0")
            connection.commit()
            yield connection
        except _RefusedError as error:
            raise _refusal(connection, error) from error


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
    names = {table_name(table): typed(table) for table in manifest["tables"]}
    is_new = not _is_loaded(connection, schema, manifest)
    try:
        if is_new:
            with open_views(snapshot, memory) as views:
                _load(connection, schema, snapshot, views)
        _turn(connection, schema, patience)
        still_read = _remove_old(connection, schema)
    except _RefusedError as error:
        raise _refusal(connection, error) from error
    n_rows = sum(table["n_rows"] for table in manifest["tables"])
    return Loaded(schema, len(names), n_rows, is_new, still_read)


# The server ---------------------------------------------------------------------------------------


def _do(connection: Connection, statement: str) -> list[tuple]:
    """Run one statement; return its rows."""
    from adbc_driver_manager import Error

    with connection.cursor() as cursor:
        try:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
        except Error as error:
            raise _said(error) from error


def _said(error: Any) -> _RefusedError:
    found = SAID.search(str(error))
    text = found[1] if found else str(error)
    return _RefusedError(" ".join(text.split()), error.sqlstate)


def _unreachable(text: str) -> PublishError:
    found = CONNECT_REFUSED.search(text)
    if found is None:
        return PublishError(
            "the address of PostgreSQL cannot be read or found: give postgresql://user@host/"
            "database, with %40 for an @ and the like, and the password in ~/.pgpass"
        )
    reason = found[1].partition("\n")[0].strip()
    return PublishError(
        f"PostgreSQL cannot be reached: {reason}; start it, or correct the address, the user or "
        "~/.pgpass"
    )


def _refusal(connection: Connection, error: _RefusedError) -> PublishError:
    connection.rollback()
    if error.code == NOT_PERMITTED:
        [[user, database]] = _do(connection, "select current_user, current_database()")
        return PublishError(
            f"PostgreSQL does not permit it: {error}; let an administrator run: "
            f"grant create on database {identifier(database)} to {identifier(user)}, and give that "
            f"user the schema {STABLE} where there is one"
        )
    if error.code == DEPENDED_ON:
        return PublishError(
            f"a view of somebody else reads what this version has no longer: {error}; drop it or "
            "let it read another table, and run wardhouse publish --current again"
        )
    return PublishError(
        f"PostgreSQL cannot take the version: {error}; mend it, and run wardhouse publish "
        "--current again"
    )


def _take(connection: Connection) -> None:
    try:
        _do(connection, f"select pg_advisory_lock({LOCK})")
    except _RefusedError as error:
        if error.code != LOCKED:
            raise
        raise PublishError(
            "another process loads a version into this database: wait until it ends, and try again"
        ) from error


def _prepare(connection: Connection, audience: str) -> None:
    """Make the role that reads; refuse a schema that is not ours, or of the other audience."""
    [[is_there]] = _do(connection, f"select to_regrole('{READER}') is not null")
    if not is_there:
        try:
            _do(connection, f"create role {READER} nologin")
        except _RefusedError as error:
            if error.code != NOT_PERMITTED:
                raise
            raise PublishError(
                f"PostgreSQL does not let this user create the role {READER}: let an "
                f"administrator run create role {READER} nologin, once, and try again"
            ) from error
    found = _do(
        connection,
        f"select coalesce(obj_description(oid), ''), "  # noqa: S608
        f"exists (select from pg_class where relnamespace = pg_namespace.oid) "
        f"from pg_namespace where nspname = '{STABLE}'",
    )
    for comment, is_used in found:
        if is_used and not comment.startswith(MARK):
            raise PublishError(
                f"the schema {STABLE} of this database holds what wardhouse did not make: name "
                "another database"
            )
        if is_used and comment != _comment(audience):
            raise PublishError(
                f"the schema {STABLE} of this database holds another audience than {audience}, "
                "and its readers may not be those of this one: name another database, or the "
                "audience by --audience"
            )
    _do(connection, f"create schema if not exists {STABLE}")
    _do(connection, f"comment on schema {STABLE} is {quote(_comment(audience))}")
    _do(connection, f"grant usage on schema {STABLE} to {READER}")
    connection.commit()


def _comment(audience: str) -> str:
    return f"{MARK}{audience} answers of the last published version"


# Loading ------------------------------------------------------------------------------------------


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


def _is_loaded(connection: Connection, schema: str, manifest: dict[str, Any]) -> bool:
    """Whether the version is there; what bears its number and is another is moved aside."""
    found = _do(connection, f"select to_regnamespace('{schema}')::oid")
    if found == [(None,)]:
        return False
    if schema not in {name for [name] in _do(connection, OURS)}:
        raise PublishError(
            f"the schema {schema} of this database was not made by wardhouse: rename or drop it"
        )
    there = _do(
        connection,
        f"select published_at = {quote(manifest['published_at'])}::timestamptz "  # noqa: S608
        f"from {schema}.{ABOUT}",
    )
    if there != [(True,)]:
        _do(connection, f"alter schema {schema} rename to {STABLE}_old_{found[0][0]}")
    connection.commit()
    return there == [(True,)]


def _load(
    connection: Connection, schema: str, snapshot: Snapshot, views: duckdb.DuckDBPyConnection
) -> None:
    """Write the version's schema, in one transaction."""
    manifest = snapshot.manifest
    told = f"{MARK}version {snapshot.version}, published {manifest['published_at']}"
    _do(connection, f"create schema {schema}")
    _do(connection, f"comment on schema {schema} is {quote(told)}")
    _write_about(connection, schema, snapshot)
    for table in manifest["tables"]:
        write_table(connection, schema, table, views)
    _do(connection, f"grant usage on schema {schema} to {READER}")
    _do(connection, f"grant select on all tables in schema {schema} to {READER}")
    connection.commit()


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
    about = f"{schema}.{ABOUT}"
    _do(connection, f"create table {about} as select {values}, clock_timestamp() as loaded_at")
    _do(
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
        DuckDB with a view of it, which gives Arrow all types as they are.

    Raises
    ------
    PublishError
        When its types have no like, or the data's are not the manifest's.
    """
    from adbc_driver_manager import Error
    from duckdb import InvalidInputException

    columns, name = typed(table), table_name(table)
    target = f"{schema}.{identifier(name)}"
    _do(connection, create_table(target, columns))
    selected = ", ".join(column.selected for column in columns)
    source = f"{identifier(table['schema'])}.{identifier(table['table'])}"
    rows = views.sql(f"select {selected} from {source}").to_arrow_reader(BATCH)  # noqa: S608
    check(table["name"], columns, rows.schema)
    with connection.cursor() as cursor:
        try:
            n_rows = cursor.adbc_ingest(name, rows, mode="append", db_schema_name=schema)
        except (Error, InvalidInputException) as error:
            reason = _said(error) if isinstance(error, Error) else error
            raise PublishError(
                f"PostgreSQL cannot take {table['name']}: {reason}; mend the model and build, or "
                "free its disk"
            ) from error
    if n_rows != table["n_rows"]:
        raise PublishError(f"{table['name']} has other rows than its manifest: publish again")
    if key := _key(table, views, source):
        _do(connection, f"alter table {target} add primary key ({key})")
    for line in comments("table", target, table["description"], columns):
        _do(connection, line)
    _do(connection, f"analyze {target}")


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


def _key(table: dict[str, Any], views: duckdb.DuckDBPyConnection, source: str) -> str:
    """Name the columns of the declared key, where none of them is ever null, for a primary key."""
    names = [identifier(name) for name in table.get("key") or []]
    if not names:
        return ""
    is_null = " or ".join(f"{name} is null" for name in names)
    [n_null] = views.sql(f"select count(*) from {source} where {is_null}").fetchone()  # noqa: S608
    return "" if n_null else ", ".join(names)


# Turning the views --------------------------------------------------------------------------------


def _turn(connection: Connection, schema: str, patience: float) -> None:
    """Let the views of `wardhouse` read a version, once no statement reads them."""
    now, wanted = _shapes(connection, STABLE), _shapes(connection, schema)
    statements = [*_dropped(now, wanted), *_turned(now, wanted, schema)]
    last = time.monotonic() + patience
    while True:
        try:
            _lock(connection, now)
            _do(connection, f"do {quote('begin ' + ' '.join(statements) + ' end')}")
            connection.commit()
            return
        except _RefusedError as error:
            if error.code not in (STOPPED, LOCKED):
                raise
            connection.rollback()
        if time.monotonic() > last:
            raise PublishError(_held(connection, schema))
        time.sleep(PAUSE)


def _shapes(connection: Connection, schema: str) -> dict[str, dict[str, Any]]:
    """Describe the tables or views of a schema: columns with types, comments of all."""
    found: dict[str, dict[str, Any]] = {}
    for relation, column, kind, comment, about in _do(connection, COLUMNS.format(quote(schema))):
        shape = found.setdefault(relation, {"columns": [], "comments": {None: about}})
        shape["columns"].append((column, kind))
        shape["comments"][column] = comment
    return found


def _lock(connection: Connection, views: dict[str, dict[str, Any]]) -> None:
    """Take the views from all readers, within less than a deadlock lasts."""
    # LOCK TABLE would lock the tables under them too, and wait for readers of the version itself.
    lines = " ".join(
        f"alter view {STABLE}.{identifier(view)} "
        f"alter column {identifier(shape['columns'][0][0])} drop default;"
        for view, shape in views.items()
    )
    _do(connection, f"set local statement_timeout = '{LOCK_MILLISECONDS}ms'")
    if lines:
        _do(connection, f"do {quote(f'begin {lines} end')}")
    _do(connection, "set local statement_timeout = 0")


def _dropped(now: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """Drop views that the version has no longer, or with columns that cannot be replaced."""
    for view, shape in now.items():
        columns = wanted.get(view, {"columns": []})["columns"]
        if columns[: len(shape["columns"])] != shape["columns"]:
            yield f"drop view {STABLE}.{identifier(view)};"


def _turned(now: dict[str, Any], wanted: dict[str, Any], schema: str) -> Iterator[str]:
    kept = {view: shape["comments"] for view, shape in now.items()}
    for dropped in _dropped(now, wanted):
        kept.pop(dropped.partition(f"{STABLE}.")[2].removesuffix(";")[1:-1].replace('""', '"'))
    for table, shape in wanted.items():
        view = f"{STABLE}.{identifier(table)}"
        columns = ", ".join(identifier(name) for name, _ in shape["columns"])
        yield (
            f"create or replace view {view} as select {columns} from {schema}.{identifier(table)};"
        )
        yield f"grant select on {view} to {READER};"
        for column, comment in shape["comments"].items():
            if kept.get(table, {}).get(column) != comment:
                which = f"column {view}.{identifier(column)}" if column else f"view {view}"
                yield f"comment on {which} is {'null' if comment is None else quote(comment)};"


def _held(connection: Connection, schema: str) -> str:
    holders = _do(connection, HOLDERS.format(quote(STABLE)))
    connection.rollback()
    named = ", ".join(f"{pid} ({name})" if name else str(pid) for pid, name in holders)
    return (
        f"{schema} is loaded, and {STABLE} still reads the version before, as statements or "
        f"transactions that read it do not end (process {named or 'unknown'}): end them, and run "
        "wardhouse publish --current again"
    )


def _remove_old(connection: Connection, current: str) -> list[str]:
    """Remove versions but the one that is read and the one before; name those that stay."""
    loaded = {
        name: _do(connection, f"select loaded_at from {name}.{ABOUT}")[0][0]  # noqa: S608
        for [name] in _do(connection, OURS)
    }
    connection.commit()
    others = sorted(loaded.keys() - {current}, key=loaded.get)
    stayed = []
    for schema in others[: len(others) - (KEPT - 1)]:
        tables = ", ".join(f"{schema}.{identifier(name)}" for name in _shapes(connection, schema))
        try:
            _do(connection, f"set local lock_timeout = '{LOCK_MILLISECONDS}ms'")
            if tables:
                _do(connection, f"drop table {tables}")
            _do(connection, f"drop schema {schema}")
            connection.commit()
        except _RefusedError as error:
            if error.code not in (LOCKED, DEPENDED_ON):
                raise
            connection.rollback()
            stayed.append(schema)
    return stayed
