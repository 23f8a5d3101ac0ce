"""`wardhouse quarantine`, `wardhouse purge` and `wardhouse alerts`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wardhouse import settings
from wardhouse.commands.printing import cells, fail, print_line, print_table

console = Console()


def quarantine_command(
    area: Annotated[str | None, typer.Option(help="One area only.")] = None,
    feed: Annotated[str | None, typer.Option(help="One feed only.")] = None,
    limit: Annotated[int, typer.Option(help="Records shown.")] = 20,
    out: Annotated[Path | None, typer.Option(help="Write all of them to this CSV file.")] = None,
) -> None:
    """List the records that were refused and why, or export them as CSV."""
    from wardhouse.quality.quarantine import read_quarantine

    try:
        counts, records = read_quarantine(settings.database(), area, feed, limit, out)
    except (OSError, settings.SettingError) as error:
        fail(error)
    reasons = Table("area", "feed", "reason", "records", title="Quarantine", title_justify="left")
    for row in counts:
        reasons.add_row(*cells(map(str, row)))
    print_table(console, reasons)
    if out:
        print_line(console, f"All of them are in {out}")
        return
    for file, line, reason, record in records:
        place = file if line is None else f"{file} line {line}"
        print_line(console, f"\n{place}: {reason}", "bold")
        print_line(console, record)


def purge_command(
    days: Annotated[
        int | None,
        typer.Option(min=0, help="Days since landing; else quarantine_retention_days."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    rewrite: Annotated[
        bool,
        typer.Option(
            "--rewrite", help="Write the file again though nothing goes, as after deletions."
        ),
    ] = False,
) -> None:
    """Remove the content of records that were refused long ago; records, reasons and counts stay.

    For a scheduler: no build does it. Of records refused longer ago than the days say, the text and
    what identifies a person go from the database, and its file is written again without them.
    Exits with 0 also where there is nothing to purge, with 1 where it could not be.
    """
    from wardhouse.project import project_directory
    from wardhouse.quality.purge import PurgeError, identifying_columns, purge, retention_days

    project = project_directory()
    try:
        days = retention_days(project) if days is None else days
        if days is None:
            print_line(console, "quarantine_retention_days is null: everything is kept")
            return
        database = settings.database()
        done = purge(
            database,
            identifying_columns(project),
            days,
            is_dry_run=dry_run,
            rewrites=rewrite,
            memory=settings.memory(),
        )
    except (OSError, PurgeError, settings.SettingError) as error:
        fail(error)
    if done.held:
        listed = Table("area", "feed", "records", "unreadable lines", box=None)
        for held in done.held:
            listed.add_row(
                *cells((held.area, held.feed, f"{held.n_records:,}", f"{held.n_lines:,}"))
            )
        print_table(console, listed)
    n_all = sum(held.n_records + held.n_lines for held in done.held)
    what = "would lose" if dry_run else "lost"
    print_line(console, f"{n_all:,} records refused more than {days} days ago {what} their content")
    if done.is_rewritten:
        print_line(console, f"{database} was written again without it")


def alerts_command(
    attempts: Annotated[int, typer.Option(min=1, help="Tries for each receiver.")] = 3,
    pause: Annotated[float, typer.Option(min=0, help="Seconds before the second try.")] = 1.0,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds that telling all may take.")] = 60,
    gate: Annotated[
        str, typer.Option(help="Severity from which on an alert exits 1: HIGH, MEDIUM, LOW, none.")
    ] = "HIGH",
) -> None:
    """Print the alerts and send them to those that WARDHOUSE_ALERT_* names.

    Exits with 1 when there is an alert of the gate's severity or above (never with --gate none),
    with 2 when a delivery failed in the end (it is kept and tried again next time), and with 3,
    before anything is sent, when alerts or settings cannot be read.
    """
    from wardhouse.quality.alert_channels import channels_from
    from wardhouse.quality.alerts import (
        AlertError,
        closing_severities,
        deliver,
        open_outbox,
        read_alerts,
    )

    try:
        closing = closing_severities(gate)
        channels = channels_from(settings.environment())
        alerts = read_alerts(settings.database())
        _print_alerts(alerts)
        deliveries, waiting = [], {}
        if channels:
            with open_outbox(settings.alert_outbox()) as outbox:
                deliveries = deliver(alerts, channels, outbox, attempts, pause, deadline)
                waiting = {name: kept for name, kept in outbox.pending.items() if kept}
    except (AlertError, OSError, settings.SettingError) as error:
        Console(stderr=True).print(escape(str(error)), style="red", soft_wrap=True)
        raise typer.Exit(3) from error
    for delivery in deliveries:
        told = f"{delivery.channel}: {delivery.n_alerts} alerts, {delivery.n_attempts} attempts"
        if delivery.error:
            told += ", delivered but not recorded" if delivery.is_unrecorded else ", not delivered"
            told += f", kept for the next run: {delivery.error}"
        console.print(escape(told), style="red" if delivery.error else "green", soft_wrap=True)
    for name in waiting.keys() - {channel.name for channel in channels}:
        console.print(
            escape(f"{len(waiting[name])} alerts wait for {name}, which is not configured"),
            style="yellow",
            soft_wrap=True,
        )
    if any(delivery.error for delivery in deliveries):
        raise typer.Exit(2)
    raise typer.Exit(int(any(alert.severity in closing for alert in alerts)))


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
