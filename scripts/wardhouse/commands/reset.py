"""`wardhouse reset`: deletes the warehouse with its history and exports, and says so before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wardhouse import settings
from wardhouse.commands.printing import fail

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

# What no build can make again: tables of it, and what their rows are.
HISTORY = {
    "landing.builds": "builds",
    "landing.node_runs": "what they ran",
    "landing.row_counts": "sizes of what they built",
    "ml.model_runs": "fits",
}


def reset_command(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """Delete the warehouse: its database with all history in it, and the exports it wrote.

    Says what it will delete, and asks. Raw files stay. The only way to build another raw directory,
    or fewer areas, under the same WARDHOUSE_DB. Exits with 0 when all is deleted, with 1 when it
    is not.
    """
    import sys

    import duckdb
    from rich.console import Console
    from rich.markup import escape

    from wardhouse.warehouse import NAME, open_to_write

    console = Console(highlight=False)

    try:
        path = settings.database()
        if not path.is_file():
            fail(f"there is no warehouse at {path} (WARDHOUSE_DB): nothing to delete")
        # Held until it is deleted, so that no build begins in between.
        with duckdb.connect() as connection:
            open_to_write(connection, path)
            connection.execute(f"use {NAME}")
            lines, files = what_goes(connection, path)
            for line in lines:
                console.print(escape(line), soft_wrap=True)
            if not yes and not sys.stdin.isatty():
                fail("nothing is deleted: there is nobody to ask, give --yes to delete it")
            if not yes and not typer.confirm("Delete all of this?"):
                fail("nothing is deleted")
            for file in files:
                file.unlink(missing_ok=True)
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    except (OSError, settings.SettingError) as error:
        fail(str(error))
    except duckdb.Error as error:
        fail(f"{path} cannot be read, delete it by hand: {str(error).splitlines()[0]}")
    console.print("deleted: the next build begins from nothing")


def what_goes(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[str], list[Path]]:
    """Tell what a reset deletes.

    Parameters
    ----------
    connection
        To the warehouse.
    path
        Its file.

    Returns
    -------
    lines, files
        What to say, and the files to delete: those exports that are still there, and the database.
    """
    from pathlib import Path

    tables = [
        f"{schema}.{table}"
        for schema, table in connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = current_database() and not temporary order by all"
        ).fetchall()
    ]
    lines = [f"This deletes {path} ({path.stat().st_size:,} bytes, {len(tables)} tables)"]
    if "landing.warehouse_state" in tables:
        for raw_dir, areas in connection.execute(
            "select raw_dir, areas from landing.warehouse_state"
        ).fetchall():
            lines.append(f"built from {raw_dir} ({areas}), whose files stay")
    snapshots = {table: "versions" for table in tables if table.startswith("snapshots.")}
    history = [
        f"  {count:,} {what} ({table})"
        for table, what in (HISTORY | snapshots).items()
        if table in tables
        for (count,) in connection.execute(f"select count(*) from {table}").fetchall()  # noqa: S608 - the project's own names
    ]
    lines += ["with history that no build can make again:", *history] if history else []
    exports = []
    if "landing.exports" in tables:
        found = connection.execute("select path from landing.exports order by all").fetchall()
        exports = [Path(name) for (name,) in found if Path(name).is_file()]
    lines += (
        ["and the exports that it wrote:", *(f"  {file}" for file in exports)] if exports else []
    )
    return lines, [*exports, path]
