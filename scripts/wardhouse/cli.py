"""The `wardhouse` command. Each command imports what it needs when it runs."""

import typer

app = typer.Typer(
    name="wardhouse",
    help="Companion of the dbt project: look before a build, see what was refused, make data.",
    no_args_is_help=True,
    add_completion=False,
)

if __name__ == "__main__":
    app()
