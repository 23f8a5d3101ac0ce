"""`wardhouse sql`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from wardhouse import settings
from wardhouse.commands.options import Audience
from wardhouse.commands.printing import BARE, cells, fail, print_line, print_table

if TYPE_CHECKING:
    import duckdb

NO_QUESTION = "this is no question: ask by select, from, with, show, describe or summarize"
PROMPT, MORE = "wardhouse> ", "        -> "


def sql_command(
    query: Annotated[
        str | None, typer.Argument(help="The question; without one they are read from the input.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Rows shown; 0 shows all.")] = 100,
    audience: Annotated[
        Audience, typer.Option(help="Exact figures, or those of which small groups are hidden.")
    ] = Audience.internal,
) -> None:
    """Ask the newest published version in SQL; it locks no build and changes nothing.

    Questions begin with select, from, with, show, describe or summarize, and end with a semicolon
    where several follow. `show all tables` lists what there is. Exits with 1 when one failed.
    """
    from wardhouse.publish.read import newest, open_views
    from wardhouse.publish.versions import PublishError

    try:
        memory = settings.memory()
        snapshot = newest(settings.publish_directory(), audience.value)
        connection = open_views(snapshot, memory)
    except (PublishError, settings.SettingError) as error:
        fail(error)
    with snapshot, connection:
        if query is not None:
            is_answered = _answer(connection, query, limit)
        elif sys.stdin.isatty():
            _converse(connection, limit, snapshot.version)
            return
        else:
            is_answered = _answer(connection, sys.stdin.read(), limit)
    raise typer.Exit(not is_answered)


def _converse(connection: duckdb.DuckDBPyConnection, limit: int, version: str) -> None:
    """Read questions from a person until the input ends, as DuckDB's own shell does."""
    import readline  # noqa: F401 - lets input() edit a line and go back to earlier ones

    print_line(Console(), f"version {version}; .quit ends", "dim")
    asked = ""
    while True:
        try:
            line = input(MORE if asked else PROMPT)
        except EOFError:
            return
        except KeyboardInterrupt:
            asked = ""
            continue
        if not asked and line.strip() in (".quit", ".exit", ""):
            if line.strip():
                return
            continue
        asked += f"{line}\n"
        if line.rstrip().endswith(";") and not _is_open(asked):
            _answer(connection, asked, limit)
            asked = ""


def _is_open(asked: str) -> bool:
    """Whether a text or name is not closed yet: the semicolon stands in it."""
    import duckdb

    try:
        duckdb.extract_statements(asked)
    except duckdb.ParserException as error:
        return "unterminated" in str(error)
    return False


def _answer(connection: duckdb.DuckDBPyConnection, asked: str, limit: int) -> bool:
    """Print the answers, up to the first question that fails; return whether none did."""
    import duckdb

    errors = Console(stderr=True)
    try:
        for statement in duckdb.extract_statements(asked):
            if statement.type != duckdb.StatementType.SELECT:
                print_line(errors, NO_QUESTION, "red")
                return False
            _print(connection.execute(statement), limit)
    except duckdb.Error as error:
        print_line(errors, str(error), "red")
        return False
    return True


def _print(answer: duckdb.DuckDBPyConnection, limit: int) -> None:
    columns = [column[0] for column in answer.description]
    rows = answer.fetchmany(limit + 1) if limit else answer.fetchall()
    table = Table(**BARE)
    for column in cells(columns):
        table.add_column(column)
    for row in rows[:limit] if limit else rows:
        table.add_row(*cells("" if value is None else str(value) for value in row))
    print_table(Console(), table)
    if limit and len(rows) > limit:
        print_line(Console(stderr=True), f"the first {limit} rows; --limit 0 shows all", "yellow")
