"""`wardhouse inspect`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console()


def inspect_command(
    raw_dir: Annotated[Path, typer.Argument(help="A raw directory, with a folder per area.")],
    areas: Annotated[str, typer.Option(help="Areas, separated by commas.")] = "",
    rows: Annotated[int, typer.Option(help="Rows shown of each feed.")] = 3,
) -> None:
    """Show which feeds a directory holds, how columns map, what is missing, and some rows."""
    from wardhouse.landing.inspect import inspect_directory
    from wardhouse.project import project_directory

    reports, problems = inspect_directory(raw_dir, areas, project_directory(), rows)
    for problem in problems:
        console.print(f"[red]{escape(problem)}")
    for report in reports:
        _print_report(report)
    if problems or any(report.problems for report in reports):
        raise typer.Exit(1)


def _print_report(report) -> None:
    console.rule(f"[bold]{escape(report.label)}", align="left")
    for problem in report.problems:
        console.print(f"[red]{escape(problem)}", soft_wrap=True)
    for file in report.files:
        console.print(escape(file))
    if report.mapping:
        columns = Table("declared column", "read from", box=None)
        for name, found in report.mapping.items():
            columns.add_row(name, escape(found))
        console.print(columns)
    if report.undeclared:
        console.print(f"not declared, not read: {escape(', '.join(report.undeclared))}")
    if report.rows:
        sample = Table(*report.header, box=None)
        for row in report.rows:
            sample.add_row(*(escape(value or "") for value in row))
        console.print(sample)
