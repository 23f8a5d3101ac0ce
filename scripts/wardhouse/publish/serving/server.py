"""A PostgreSQL that is to hold published versions: reached, taken, prepared; what it refuses."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote
from urllib.parse import quote as percent

from wardhouse import settings
from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import identifier, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from adbc_driver_postgresql.dbapi import Connection

STABLE = "wardhouse"  # the schema that is read by
MARK = "Wardhouse: "  # begins the comment of each schema that is ours
LOCK = int.from_bytes(b"wardhous", "big")  # of a session: one loader to a database
TURN = 10.0  # seconds to wait for another loader
# Whoever may make a function or an operator in a schema of the path could have a loader run it: of
# two that fit, PostgreSQL takes the one whose types fit better, wherever it is.
SEARCHED = "pg_catalog,pg_temp"
IS_OWN = "pg_get_userbyid(nspowner) = current_user"

# As libpq reads it: what is before the first @ is user and password, whatever signs it holds.
ADDRESS = re.compile(
    r"postgres(?:ql)?://(?:[^@/]*@)?(?P<hosts>[^/?]*)(?:/[^?]*)?(?:\?(?P<options>.*))?$", re.DOTALL
)
HERE = re.compile(r"/.*|(localhost|127\.0\.0\.1|\[?::1\]?)(:\d*)?")
CONNECT_REFUSED = re.compile(r"connection to server .*? failed: (.*)", re.DOTALL)
SAID, DETAIL = re.compile(r"ERROR:\s+(.*)"), re.compile(r"DETAIL:\s+(.*)")
NOT_PERMITTED, LOCKED, STOPPED, DEPENDED_ON = "42501", "55P03", "57014", "2BP01"


class RefusedError(Exception):
    """What PostgreSQL said, its code, and a detail that may hold values of the data."""

    def __init__(self, said: str, code: str | None, detail: str = "") -> None:
        super().__init__(said)
        self.code = code
        self.detail = detail


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
    found = _read(url)
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


def _read(url: str) -> re.Match[str]:
    found = ADDRESS.match(url)
    if found is None:
        raise PublishError("the address of PostgreSQL begins with postgresql://: give it so")
    return found


def reader_of(audience: str) -> str:
    """Name the role that reads an audience: a role is of the whole server, not of a database."""
    return f"wardhouse_reader_{audience}"


def _with_path(url: str) -> str:
    """Let the session begin with our search path: ADBC asks before we do."""
    options = _read(url)["options"]
    given = parse_qs(options or "").get("options", [settings.environment().get("PGOPTIONS", "")])
    named = percent(f"{given[-1]} -c search_path={SEARCHED}".strip(), safe="")
    join = "?" if options is None else "&" if options else ""
    return f"{url}{join}options={named}"


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
        connection = dbapi.connect(_with_path(url))
    except Error as error:
        raise _unreachable(str(error)) from None  # whose text may hold the URL's password
    with connection:
        try:
            for setting in (
                f"search_path = {SEARCHED}",  # again, for poolers that leave out options
                "client_encoding = 'UTF8'",
                "standard_conforming_strings = on",
                "timezone = 'UTC'",
                f"lock_timeout = '{round(turn * 1000)}ms'",
            ):
                do(connection, f"set {setting}")
            commit(connection)
            _take(connection)
            _prepare(connection, audience)
            do(connection, "set lock_timeout = 0")
            commit(connection)
            yield connection
        except RefusedError as error:
            raise refusal(connection, error) from error


def do(connection: Connection, statement: str) -> list[tuple]:
    """Run one statement; return its rows.

    Raises
    ------
    RefusedError
        When PostgreSQL refuses it.
    """
    from adbc_driver_manager import Error

    with connection.cursor() as cursor:
        try:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
        except Error as error:
            raise said(error) from error


def do_all(connection: Connection, statements: Iterable[str]) -> None:
    """Run statements that give no rows, in one journey to the server.

    Raises
    ------
    RefusedError
        When PostgreSQL refuses one.
    """
    if body := "".join(f"{statement}; " for statement in statements):
        do(connection, f"do {quote(f'begin {body}end')}")


def commit(connection: Connection) -> None:
    """End the transaction.

    Raises
    ------
    RefusedError
        When PostgreSQL refuses it, or is gone.
    """
    from adbc_driver_manager import Error

    try:
        connection.commit()
    except Error as error:
        raise said(error) from error


def said(error: Any) -> RefusedError:
    """Give what PostgreSQL said in an error of ADBC, without ADBC's own words."""
    found = SAID.search(str(error))
    text = found[1] if found else str(error)
    detail = DETAIL.search(str(error))
    return RefusedError(" ".join(text.split()), error.sqlstate, detail[1] if detail else "")


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


def refusal(connection: Connection, error: RefusedError) -> PublishError:
    """Say in one line why PostgreSQL refused something, and what helps."""
    if error.code == NOT_PERMITTED:
        connection.rollback()
        [[user, database]] = do(connection, "select current_user, current_database()")
        return PublishError(
            f"PostgreSQL does not permit it: {error}; let an administrator run: "
            f"grant create on database {identifier(database)} to {identifier(user)}, and give that "
            f"user the schema {STABLE} where there is one"
        )
    if error.code == DEPENDED_ON:
        return PublishError(
            f"a view of somebody else reads what this version has no longer: {error.detail}; drop "
            "it or let it read another table, and run wardhouse publish --current again"
        )
    return PublishError(
        f"PostgreSQL cannot take the version: {error}; mend it, and run wardhouse publish "
        "--current again"
    )


def _take(connection: Connection) -> None:
    try:
        do(connection, f"select pg_advisory_lock({LOCK})")
    except RefusedError as error:
        if error.code != LOCKED:
            raise
        raise PublishError(
            "another process loads a version into this database: wait until it ends, and try again"
        ) from error


def _prepare(connection: Connection, audience: str) -> None:
    """Make the role that reads; refuse a schema that is not ours, or of the other audience."""
    reader = reader_of(audience)
    [[is_there]] = do(connection, f"select to_regrole({quote(reader)}) is not null")
    if not is_there:
        try:
            do(connection, f"create role {reader} nologin")
        except RefusedError as error:
            if error.code != NOT_PERMITTED:
                raise
            raise PublishError(
                f"PostgreSQL does not let this user create the role {reader}: let an "
                f"administrator run create role {reader} nologin, once, and try again"
            ) from error
    found = do(
        connection,
        f"select coalesce(obj_description(oid, 'pg_namespace'), ''), "  # noqa: S608
        f"exists (select from pg_class where relnamespace = pg_namespace.oid), {IS_OWN}, "
        f"pg_get_userbyid(nspowner) from pg_namespace where nspname = '{STABLE}'",
    )
    for comment, is_used, is_own, owner in found:
        if not is_own:
            raise PublishError(
                f"the schema {STABLE} of this database belongs to {owner}: load as that user, or "
                "name another database"
            )
        if is_used and not comment.startswith(MARK):
            raise PublishError(
                f"the schema {STABLE} of this database holds what wardhouse did not make: name "
                "another database"
            )
        if is_used and comment != _comment_of(audience):
            raise PublishError(
                f"the schema {STABLE} of this database holds another audience than {audience}, "
                "and its readers may not be those of this one: name another database, or the "
                "audience by --audience"
            )
    do(connection, f"create schema if not exists {STABLE}")
    do(connection, f"comment on schema {STABLE} is {quote(_comment_of(audience))}")
    do(connection, f"grant usage on schema {STABLE} to {reader}")
    commit(connection)


def _comment_of(audience: str) -> str:
    return f"{MARK}{audience} answers of the last published version"
