"""`wardhouse report`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from wardhouse import settings
from wardhouse.areas.declared import AREAS, load
from wardhouse.commands.printing import print_line

REPORTS = {area.name: area.report for area in AREAS if area.report}
Name = StrEnum("Name", {name: name for name in REPORTS})


def report_command(
    area: Annotated[Name, typer.Argument(help="Which subject area.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; by default <area>/report of the exports."),
    ] = None,
    png: Annotated[
        bool, typer.Option(help="Draw pictures too, which takes a Chromium or Chrome.")
    ] = True,
) -> None:
    """Write an area's charts as pages that need no network, with a picture beside each."""
    from wardhouse.report.tables import ReportError, open_tables
    from wardhouse.report.write import write_report

    chosen = REPORTS[area]
    folder = out or settings.export_directory() / area / "report"
    try:
        with open_tables(settings.database()) as read:
            charts = load(chosen.charts)(read)
        written = write_report(charts, folder, chosen.title, png)
    except (ReportError, settings.SettingError) as error:
        print_line(Console(stderr=True), str(error), "red")
        raise typer.Exit(1) from error
    print_line(Console(), f"{len(charts)} charts; open {written[-1]}")
