"""The `wardhouse` command. Each command imports what it needs when it runs."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wardhouse.bench import hospital_command
from wardhouse.bench_stream import stream_bench_command
from wardhouse.commands.build import ANY_ARGUMENTS, build_command
from wardhouse.compaction import compact_command
from wardhouse.ingest import ingest_command
from wardhouse.sample import sample_command
from wardhouse.simulate import app as simulate_app
from wardhouse.stream import stream_command

app = typer.Typer(
    name="wardhouse",
    help="Companion of the dbt project: look before a build, build, see what was refused.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
app.command("build", context_settings=ANY_ARGUMENTS)(build_command)
app.command("sample")(sample_command)
app.command("ingest")(ingest_command)
app.command("stream")(stream_command)
app.command("compact")(compact_command)
app.add_typer(simulate_app, name="simulate")
bench_app = typer.Typer(help="Measure speed, side by side with what it is held against.")
bench_app.command("hospital")(hospital_command)
bench_app.command("stream")(stream_bench_command)
app.add_typer(bench_app, name="bench", no_args_is_help=True)


def _fail(message: str) -> None:
    Console(stderr=True).print(escape(message), style="red", soft_wrap=True)
    raise typer.Exit(1)


@app.command("inspect")
def inspect_command(
    raw_dir: Annotated[Path, typer.Argument(help="A raw directory, with a folder per area.")],
    areas: Annotated[str, typer.Option(help="Areas, separated by commas.")] = "",
    rows: Annotated[int, typer.Option(help="Rows shown of each feed.")] = 3,
) -> None:
    """Show which feeds a directory holds, how columns map, what is missing, and some rows."""
    from wardhouse.inspection import inspect_directory, project_directory

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


@app.command("quarantine")
def quarantine_command(
    area: Annotated[str | None, typer.Option(help="One area only.")] = None,
    feed: Annotated[str | None, typer.Option(help="One feed only.")] = None,
    limit: Annotated[int, typer.Option(help="Records shown.")] = 20,
    out: Annotated[Path | None, typer.Option(help="Write all of them to this CSV file.")] = None,
) -> None:
    """List the records that were refused and why, or export them as CSV."""
    from wardhouse.inspection import read_quarantine

    path = Path(os.environ.get("WARDHOUSE_DB", "wardhouse.duckdb"))
    try:
        counts, records = read_quarantine(path, area, feed, limit, out)
    except OSError as error:
        _fail(str(error))
    reasons = Table("area", "feed", "reason", "records", title="Quarantine", title_justify="left")
    for row in counts:
        reasons.add_row(*(escape(str(value)) for value in row))
    console.print(reasons)
    if out:
        console.print(f"All of them are in {escape(str(out))}")
        return
    listed = Table("file", "line", "reason", "record", box=None)
    for row in records:
        listed.add_row(*(escape("" if value is None else str(value)) for value in row))
    console.print(listed)


@app.command("alerts")
def alerts_command(
    attempts: Annotated[int, typer.Option(min=1, help="Tries for each receiver.")] = 3,
    pause: Annotated[float, typer.Option(min=0, help="Seconds before the second try.")] = 1.0,
) -> None:
    """Print the alerts and tell those whom WARDHOUSE_ALERT_* names.

    Exits with 1 when an alert is HIGH, with 2 when a delivery failed in the end (it is kept and
    tried again next time), and with 3 when the alerts cannot be read.
    """
    from wardhouse.alerts import AlertError, channels_from, deliver, open_outbox, read_alerts

    path = Path(os.environ.get("WARDHOUSE_DB", "wardhouse.duckdb"))
    outbox_path = os.environ.get("WARDHOUSE_ALERT_OUTBOX")
    try:
        channels = channels_from(os.environ)
        alerts = read_alerts(path)
        _print_alerts(alerts)
        deliveries, waiting = [], {}
        if channels:
            with open_outbox(Path(outbox_path or f"{path}.alerts.json")) as outbox:
                deliveries = deliver(alerts, channels, outbox, attempts, pause)
                waiting = {name: kept for name, kept in outbox.pending.items() if kept}
    except (AlertError, OSError) as error:
        Console(stderr=True).print(escape(str(error)), style="red", soft_wrap=True)
        raise typer.Exit(3) from error
    for delivery in deliveries:
        told = f"{delivery.channel}: {delivery.n_alerts} alerts, {delivery.n_attempts} attempts"
        if delivery.error:
            told += f", not delivered, kept for the next run: {delivery.error}"
        console.print(escape(told), style="red" if delivery.error else "green", soft_wrap=True)
    for name in waiting.keys() - {channel.name for channel in channels}:
        console.print(
            escape(f"{len(waiting[name])} alerts wait for {name}, which is not configured"),
            style="yellow",
            soft_wrap=True,
        )
    if any(delivery.error for delivery in deliveries):
        raise typer.Exit(2)
    raise typer.Exit(int(any(alert.severity == "HIGH" for alert in alerts)))


def _print_alerts(alerts) -> None:
    if not alerts:
        console.print("No alerts.", style="green")
        return
    styles = {"HIGH": "red", "MEDIUM": "yellow"}
    listed = Table(
        "severity",
        "area",
        "type",
        "message",
        title=f"Alerts as of {alerts[0].as_of[:19]} UTC",
        box=None,
    )
    for alert in alerts:
        values = (alert.severity, alert.area, alert.alert_type, alert.message)
        listed.add_row(*(escape(value) for value in values), style=styles.get(alert.severity))
    console.print(listed)


if __name__ == "__main__":
    app()
