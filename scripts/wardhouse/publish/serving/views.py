"""The schema `wardhouse`: views of one version, turned to another under their readers' eyes.

All views turn in one transaction that locks them first, so that a statement which names several
reads one version, and so does a transaction. Renaming schemas is no such thing: a statement looks
its names up one after the other, and the schemas may be renamed between two of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from wardhouse.publish.serving.server import (
    DEPENDED_ON,
    IS_OWN,
    LOCKED,
    MARK,
    STABLE,
    STOPPED,
    RefusedError,
    commit,
    do,
    do_all,
    reader_of,
)
from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import identifier, quote

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection

ABOUT = "published"  # the table of one row that tells of its schema's version
KEPT = 2  # versions: the one that is read, and the one before

# A reader that waits for us while we wait for it is a deadlock, which PostgreSQL ends after its
# deadlock_timeout, one second, at somebody's cost. We give up before that, and try again.
LOCK_MILLISECONDS = 400
PAUSE, PATIENCE = 0.5, 300.0  # seconds: between tries, and in all


OURS = f"""
    select nspname from pg_namespace
    where starts_with(nspname, '{STABLE}_') and {IS_OWN}
        and obj_description(oid, 'pg_namespace') like '{MARK}%'
"""  # noqa: S608
COLUMNS = """
    select
        pg_class.relname,
        pg_attribute.attname,
        format_type(pg_attribute.atttypid, pg_attribute.atttypmod),
        col_description(pg_class.oid, pg_attribute.attnum),
        obj_description(pg_class.oid, 'pg_class')
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


def turn(connection: Connection, schema: str, audience: str, patience: float) -> None:
    """Let the views of `wardhouse` read a version, once no statement reads them.

    Parameters
    ----------
    connection
        To PostgreSQL, in no transaction.
    schema
        Of the version.
    audience
        Whose role may read the views.
    patience
        Seconds to wait.

    Raises
    ------
    PublishError
        When they are still read then.
    """
    now, wanted = _shapes(connection, STABLE), _shapes(connection, schema)
    commit(connection)
    statements = _turning(now, wanted, schema, reader_of(audience))
    last = time.monotonic() + patience
    while True:
        try:
            _lock(connection, now)
            do_all(connection, statements)
            commit(connection)
            return
        except RefusedError as error:
            if error.code not in (STOPPED, LOCKED):
                raise
            connection.rollback()
        if time.monotonic() > last:
            raise PublishError(_held(connection, schema))
        time.sleep(PAUSE)


def _shapes(connection: Connection, schema: str) -> dict[str, dict[str, Any]]:
    """Describe the tables or views of a schema: columns with types, comments of all."""
    found: dict[str, dict[str, Any]] = {}
    described = COLUMNS.format(quote(identifier(schema)))
    for relation, column, kind, comment, about in do(connection, described):
        shape = found.setdefault(relation, {"columns": [], "comments": {None: about}})
        shape["columns"].append((column, kind))
        shape["comments"][column] = comment
    return found


def _lock(connection: Connection, views: dict[str, dict[str, Any]]) -> None:
    """Take the views from all readers, within less than a deadlock lasts."""
    # LOCK TABLE would lock the tables under them too, and wait for readers of the version itself.
    do(connection, f"set local statement_timeout = '{LOCK_MILLISECONDS}ms'")
    do_all(
        connection,
        (
            f"alter view {STABLE}.{identifier(view)} "
            f"alter column {identifier(shape['columns'][0][0])} drop default"
            for view, shape in views.items()
        ),
    )
    do(connection, "set local statement_timeout = 0")


def _turning(
    now: dict[str, dict[str, Any]], wanted: dict[str, dict[str, Any]], schema: str, reader: str
) -> list[str]:
    """Write what makes the views those of a version: a view is replaced where it can be."""
    kept = {
        view: shape["comments"]
        for view, shape in now.items()
        if view in wanted and wanted[view]["columns"][: len(shape["columns"])] == shape["columns"]
    }
    statements = [f"drop view {STABLE}.{identifier(view)}" for view in now.keys() - kept.keys()]
    for table, shape in wanted.items():
        name = identifier(table)
        view, source = f"{STABLE}.{name}", f"{identifier(schema)}.{name}"
        columns = ", ".join(identifier(name) for name, _ in shape["columns"])
        statements += [
            f"create or replace view {view} as select {columns} from {source}",  # noqa: S608
            f"grant select on {view} to {reader}",
        ]
        for column, comment in shape["comments"].items():
            if kept.get(table, {}).get(column) != comment:
                which = f"column {view}.{identifier(column)}" if column else f"view {view}"
                told = "null" if comment is None else quote(comment)
                statements.append(f"comment on {which} is {told}")
    return statements


def _held(connection: Connection, schema: str) -> str:
    holders = do(connection, HOLDERS.format(quote(identifier(STABLE))))
    connection.rollback()
    named = ", ".join(f"{pid} ({name})" if name else str(pid) for pid, name in holders)
    return (
        f"{schema} is loaded, and {STABLE} still reads the version before, as statements or "
        f"transactions that read it do not end (process {named or 'unknown'}): end them, and run "
        "wardhouse publish --current again"
    )


def remove_old(connection: Connection, current: str) -> list[str]:
    """Remove versions but the one that is read and the one before; name those that stay.

    Versions of another audience go, too: they were left by somebody who dropped `wardhouse`.
    """
    [[audience]] = do(connection, f"select audience from {identifier(current)}.{ABOUT}")  # noqa: S608
    before, removed = {}, []
    for [schema] in do(connection, OURS):
        if schema == current:
            continue
        told = f"select audience, loaded_at from {identifier(schema)}.{ABOUT}"  # noqa: S608
        [[its_audience, loaded_at]] = do(connection, told)
        if its_audience == audience:
            before[schema] = loaded_at
        else:
            removed.append(schema)
    commit(connection)
    same = sorted(before, key=before.get)
    removed += same[: len(same) - (KEPT - 1)]
    return [schema for schema in removed if not _is_removed(connection, schema)]


def _is_removed(connection: Connection, schema: str) -> bool:
    """Remove a version, unless somebody reads it or has a view on it."""
    name = identifier(schema)
    tables = ", ".join(f"{name}.{identifier(each)}" for each in _shapes(connection, schema))
    try:
        do(connection, f"set local lock_timeout = '{LOCK_MILLISECONDS}ms'")
        if tables:
            do(connection, f"drop table {tables}")
        do(connection, f"drop schema {name}")
        commit(connection)
    except RefusedError as error:
        if error.code not in (LOCKED, DEPENDED_ON):
            raise
        connection.rollback()
        return False
    return True
