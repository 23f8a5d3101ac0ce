"""`wardhouse keys`."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wardhouse import settings
from wardhouse.api.keys import SCOPES, KeysError, add_key, read_keys, remove_key
from wardhouse.commands.printing import BARE, cells, fail, print_line, print_table

Scope = StrEnum("Scope", list(SCOPES))
app = typer.Typer(help="Keys of the API: who may ask what.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Whose key it is.")]


@app.command("add")
def add_command(
    name: Name,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it opens; may be repeated. By default read.")
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day from which on it opens nothing (UTC)."),
    ] = None,
) -> None:
    """Make a key and print it. It is shown once: the file keeps a hash.

    Scopes: read (aggregates), patients (pseudonymised rows of single patients), metrics
    (/metrics).
    """
    path = settings.keys_file()
    scopes = sorted({each.value for each in scope or [Scope.read]})
    try:
        token = add_key(path, name, scopes, expires and expires.replace(tzinfo=UTC))
    except (KeysError, OSError, settings.SettingError) as error:
        fail(error)
    print_line(Console(stderr=True), f"kept as a hash in {path}; this is shown once:")
    print_line(Console(), token)


@app.command("list")
def list_command() -> None:
    """List whose keys there are, and what they open."""
    try:
        keys = read_keys(settings.keys_file()).keys
    except KeysError as error:
        fail(error)
    table = Table("name", "scopes", "created", "expires", **BARE)
    for key in keys:
        ends = str(key.expires_at.date()) if key.expires_at else "never"
        ended = "" if key.is_valid() else " (is over)"
        told = (key.name, ", ".join(key.scopes), str(key.created_at.date()), ends + ended)
        table.add_row(*cells(told))
    print_table(Console(), table)


@app.command("remove")
def remove_command(name: Name) -> None:
    """Forget a key; a server that runs refuses it within a second."""
    try:
        remove_key(settings.keys_file(), name)
    except (KeysError, OSError, settings.SettingError) as error:
        fail(error)
    print_line(Console(), f"the key of {name} opens nothing any more")
