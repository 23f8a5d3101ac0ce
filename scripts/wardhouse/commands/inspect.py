"""`wardhouse inspect`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from wardhouse.commands.printing import BARE, cells, print_line, print_table

console = Console()


def inspect_command(
    raw_dir: Annotated[Path, typer.Argument(help="A raw directory, with a folder per area.")],
    areas: Annotated[str, typer.Option(help="Areas, separated by commas.")] = "",
    rows: Annotated[int, typer.Option(help="Records shown as they stand.", min=0)] = 3,
) -> None:
    """Show, before any build, what a directory holds, how it is read, and what would help.

    Exits with 1 where a build would stop, or bytes or values prove another setting.
    """
    from wardhouse.landing.inspection.report import inspect_directory
    from wardhouse.project import project_directory

    report = inspect_directory(raw_dir, areas, project_directory(), rows)
    for problem in report.problems:
        print_line(console, problem, "red")
    for feed in report.feeds:
        _print_feed(feed)
    for stray in report.strays:
        print_line(console, stray, "yellow")
    lines = [line for feed in report.feeds for line in feed.lines]
    if lines:
        print_line(console, f"\nFor {raw_dir / 'feeds.csv'}:", "bold")
        for line in ("area,feed,option,value", *lines):
            print_line(console, line)
    if report.is_wrong:
        raise typer.Exit(1)


def _print_feed(feed) -> None:
    print_line(console, f"\n{feed.label}", "bold")
    for problem in feed.problems:
        print_line(console, problem, "red")
    for line in (*feed.files, feed.records):
        if line:
            print_line(console, line)
    if feed.columns:
        headers = ("column", "read from", "as", "readable", "values")
        columns = Table(*(Column(header, overflow="fold") for header in headers), **BARE)
        columns.columns[0].no_wrap = True
        for column in feed.columns:
            told = (column.name, column.read_from, column.kind, column.readable, column.values)
            row = cells(told)
            if not column.is_range:  # which stays whole on a narrow screen
                row[-1].no_wrap, row[-1].overflow = True, "ellipsis"
            columns.add_row(*row)
        print_table(console, columns)
    for remark in feed.remarks:
        print_line(console, remark, "yellow")
    for cure in feed.cures:
        print_line(console, cure, "red")
