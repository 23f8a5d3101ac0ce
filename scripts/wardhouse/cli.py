"""The `wardhouse` command: names every command and imports it when it is asked for."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS = {
    "build": "build:app",
    "reset": "reset:reset_command",
    "inspect": "inspect:inspect_command",
    "quarantine": "quality:quarantine_command",
    "purge": "quality:purge_command",
    "alerts": "quality:alerts_command",
    "report": "report:report_command",
    "publish": "publish:publish_command",
    "sql": "sql:sql_command",
    "serve": "serve:serve_command",
    "keys": "keys:app",
    "ingest": "streaming:ingest_command",
    "stream": "streaming:stream_command",
    "compact": "streaming:compact_command",
    "sample": "sample:sample_command",
    "simulate": "simulate:app",
    "bench": "bench:app",
}
PLAIN: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False}


class _Commands(TyperGroup):
    """Finds a command by its name in `COMMANDS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands, in the order of their declaration."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; none where there is none of the name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(f"wardhouse.commands.{module}"), name)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(**PLAIN)
            found.command(cmd_name)(function)
        command = get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(name="wardhouse", cls=_Commands, no_args_is_help=True, **PLAIN)


@app.callback()
def wardhouse(context: typer.Context) -> None:
    """Companion of the dbt project: look before a build, build, see what was refused, make data."""
    from wardhouse.private_files import FileModeError, keep_private

    try:
        keep_private()
    except FileModeError as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(3 if context.invoked_subcommand == "alerts" else 2) from error


if __name__ == "__main__":
    app()
