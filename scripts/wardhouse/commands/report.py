"""`wardhouse report`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from wardhouse import settings
from wardhouse.areas.declared import AREAS, load
from wardhouse.commands.options import own_options, parameter_of, with_parameters
from wardhouse.commands.printing import fail, print_line

REPORTS = {area.report.name: area for area in AREAS if area.report}
OPTIONS = tuple(
    {
        option.argument: option for area in REPORTS.values() for option in area.report.options
    }.values()
)
Name = StrEnum("Name", {name: name for name in REPORTS})


def _report(
    report: Annotated[Name, typer.Argument(help="Which report.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; by default <area>/report of the exports."),
    ] = None,
    png: Annotated[
        bool, typer.Option(help="Draw pictures too, which takes a Chromium or Chrome.")
    ] = True,
    **options: Any,
) -> None:
    """Write an area's charts as pages that need no network, with a picture beside each."""
    from wardhouse.report.tables import ReportError, open_tables
    from wardhouse.report.write import write_report

    area = REPORTS[report]
    try:
        own = own_options(report, area.report.options, OPTIONS, options)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    folder = out or settings.export_directory() / area.name / "report"
    try:
        with open_tables(settings.database()) as read:
            charts = load(area.report.charts)(read, **own)
        written = write_report(charts, folder, area.report.title, png)
    except (ReportError, settings.SettingError) as error:
        fail(error)
    print_line(Console(), f"{len(charts)} charts; open {written[-1]}")


report_command = with_parameters(_report, map(parameter_of, OPTIONS))
