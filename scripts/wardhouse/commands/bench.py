"""`wardhouse bench`."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wardhouse.bench.hospital import (
    CONTENDERS,
    LAB_MAX_TREATMENTS,
    Bench,
    as_markdown,
    check_agreement,
    run_contenders,
)
from wardhouse.bench.measure import ContenderError, describe_machine, kept_or_temporary
from wardhouse.bench.stream import PACKAGES, PARTS, Verdict, details, verdicts
from wardhouse.bench.stream_cycles import measure_history
from wardhouse.bench.stream_latency import measure_latency
from wardhouse.bench.stream_place import StreamBench
from wardhouse.bench.stream_rate import measure_ingest
from wardhouse.synthetic.seeds import DEFAULT_SEED

if TYPE_CHECKING:
    from collections.abc import Iterator


app = typer.Typer(
    help="Measure speed, side by side with what it is held against.", no_args_is_help=True
)


def _chosen_contenders(only: Sequence[str], treatments: int) -> tuple[list[str], str]:
    unknown = sorted(set(only) - set(CONTENDERS))
    if unknown:
        known = ", ".join(CONTENDERS)
        raise typer.BadParameter(f"no contender is called {', '.join(unknown)}; there are {known}")
    if only:
        return [name for name in CONTENDERS if name in only], ""
    if treatments <= LAB_MAX_TREATMENTS:
        return list(CONTENDERS), ""
    return (
        [name for name in CONTENDERS if name != "lab_script"],
        f"lab_script is left out above {LAB_MAX_TREATMENTS:,} treatments, unless --only names it",
    )


@app.command("hospital")
def hospital_command(
    treatments: Annotated[int, typer.Option(min=100, help="How many treatments.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Of the generated data.")] = DEFAULT_SEED,
    keep: Annotated[
        Path | None, typer.Option(help="New folder to keep data and outputs in.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="One contender; may be repeated.")
    ] = None,
) -> None:
    """Measure the hospital's build against hand-written scripts that do the same work."""
    from rich.console import Console
    from rich.table import Table

    from wardhouse.project import project_directory

    console = Console()
    names, note = _chosen_contenders(only or [], treatments)
    with kept_or_temporary(keep) as place, console.status("starting") as status:
        bench = Bench(place, project_directory(), treatments, seed)
        try:
            measurements = run_contenders(bench, names, status.update)
            agreement = check_agreement(measurements)
        except ContenderError as error:
            console.print(str(error), style="red", markup=False)
            raise typer.Exit(1) from None
    table = Table("contender", title=f"{treatments:,} treatments", title_justify="left")
    for heading in ("CPU s", "wall s", "peak MB"):
        table.add_column(heading, justify="right")
    for found in measurements:
        figures = (f"{found.cpu:.1f}", f"{found.wall:.1f}", f"{found.peak:,.0f}")
        table.add_row(found.name, *figures)
    console.print(table)
    for line in (note, agreement, describe_machine()):
        if line:
            console.print(line, markup=False, highlight=False)
    console.print()
    print(as_markdown(measurements, treatments))


def _chosen_parts(only: list[str] | None) -> list[str]:
    unknown = sorted(set(only or ()) - set(PARTS))
    if unknown:
        raise typer.BadParameter(f"no part is called {', '.join(unknown)}; {', '.join(PARTS)} are")
    return [part for part in PARTS if part in (only or PARTS)]


@contextmanager
def _broker(bootstrap: str | None, place: Path) -> Iterator[str]:
    """Give the user's broker, or one of its own."""
    if bootstrap:
        yield bootstrap
        return
    from wardhouse.bench.local_kafka import UnavailableError, running_broker

    folder = place / "kafka"
    folder.mkdir()
    try:
        with running_broker(folder) as broker:
            yield broker.bootstrap
    except UnavailableError as error:
        raise ContenderError(f"{error}; give --bootstrap for a broker of yours") from None


@app.command("engagement")
def engagement_bench_command(
    people: Annotated[int, typer.Option(min=1000, help="How many people are built.")] = 1_000_000,
    seeds: Annotated[
        int, typer.Option(min=0, help="How often each shape of people is drawn and judged.")
    ] = 20,
    keep: Annotated[
        Path | None, typer.Option(help="New folder to keep data and outputs in.")
    ] = None,
) -> None:
    """Measure personas: the build of many people, and how often noise is called reliable."""
    from rich.console import Console
    from rich.table import Table

    from wardhouse.bench.engagement import PEOPLE, count_calls
    from wardhouse.bench.engagement_size import measure_size
    from wardhouse.project import project_directory

    console = Console()
    with kept_or_temporary(keep) as place, console.status(f"building {people:,} people"):
        try:
            built, figures = measure_size(place, project_directory(), people, DEFAULT_SEED)
        except ContenderError as error:
            console.print(str(error), style="red", markup=False)
            raise typer.Exit(1) from None
    sizes = Table("what", title=f"{people:,} people", title_justify="left")
    for heading in ("CPU s", "wall s", "peak MB"):
        sizes.add_column(heading, justify="right")
    sizes.add_row(built.name, f"{built.cpu:.1f}", f"{built.wall:.1f}", f"{built.peak:,.0f}")
    for name, other in (("fit", "bare_fit"), ("score", "predict")):
        ratio = f"{figures[name] / figures[other]:.2f} of {other.replace('_', ' ')}"
        sizes.add_row(f"{name}: {ratio}", "", f"{figures[name]:.2f}", "")
    console.print(sizes)
    shapes = Table("shape", title=f"{PEOPLE} people, {seeds} seeds", title_justify="left")
    for heading in ("true groups", "p at most 0.05", "reliable"):
        shapes.add_column(heading, justify="right")
    with console.status("fitting") as status:
        for found in count_calls(seeds) if seeds else ():
            truth = "yes" if found.has_groups else "no"
            shapes.add_row(found.shape, truth, str(found.n_grouped), str(found.n_reliable))
            status.update(f"fitted {found.shape}")
    console.print(shapes)
    console.print(describe_machine(), markup=False, highlight=False)


@app.command("postgresql")
def postgresql_bench_command(
    rows: Annotated[int, typer.Option(min=1000, help="How many rows of ten columns.")] = 1_000_000,
    pairs: Annotated[int, typer.Option(min=1, help="How often each side loads them.")] = 5,
) -> None:
    """Measure how fast PostgreSQL is loaded, beside COPY from CSV, on a server of its own."""
    from statistics import median

    from rich.console import Console

    from wardhouse.bench.local_postgresql import UnavailableError, running_server
    from wardhouse.bench.postgresql import TARGET, measure_pairs

    console = Console()
    with kept_or_temporary(None) as place, console.status("starting") as status:
        try:
            with running_server(is_lasting=True) as url:
                found = measure_pairs(url, place, rows, pairs, status.update)
        except (ContenderError, UnavailableError) as error:
            console.print(str(error), style="red", markup=False)
            raise typer.Exit(1) from None
    for pair in found:
        console.print(f"ADBC {pair.adbc:.2f} s, COPY from CSV {pair.copy:.2f} s", highlight=False)
    ratio = median(pair.copy / pair.adbc for pair in found)
    name = f"rows a second by ADBC against COPY from CSV, {rows:,} rows, median"
    _print_verdicts(console, [Verdict(name, ratio, TARGET, is_floor=True)])
    packages = ("adbc-driver-postgresql", "psycopg", "duckdb")
    console.print(describe_machine(packages), markup=False, highlight=False)


@app.command("api")
def api_bench_command(
    rows: Annotated[int, typer.Option(min=500, help="How many providers.")] = 1000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each side is asked.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long, each time.")] = 3,
    keep: Annotated[Path | None, typer.Option(help="New folder to keep data and logs in.")] = None,
) -> None:
    """Measure the API against a Flask and SQLite server, on providers of the newest version."""
    from rich.console import Console
    from rich.table import Table

    from wardhouse import settings
    from wardhouse.api.keys import KeysError
    from wardhouse.bench import api
    from wardhouse.publish.versions import PublishError

    console = Console()
    table = Table("request", "server", title=f"{rows:,} rows, {api.READERS} readers")
    for heading in ("requests/s", "p50 ms", "p99 ms", "times theirs"):
        table.add_column(heading, justify="right")
    with kept_or_temporary(keep) as place, console.status("measuring"):
        try:
            stages = api.write_rows(settings.publish_directory(), place, rows)
            with api.running_both(place) as both:
                paths = api.paths_of(stages, both[api.OURS])
                api.check(both, paths)
                for found in api.compare(both, paths, rounds, seconds):
                    for name, load, ratio in (
                        (api.OURS, found.ours, f"{found.ratio:.2f}"),
                        (api.THEIRS, found.theirs, ""),
                    ):
                        figures = [load.percentile(share) for share in (0.5, 0.99)]
                        told = (f"{load.rate:,.0f}", *(f"{each:.1f}" for each in figures), ratio)
                        table.add_row(found.what, name, *told)
        except (ContenderError, PublishError, KeysError) as error:
            console.print(str(error), style="red", markup=False)
            raise typer.Exit(1) from None
    console.print(table)
    console.print(describe_machine(api.PACKAGES), markup=False, highlight=False)


@app.command("stream")
def stream_bench_command(
    bootstrap: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Your Kafka broker. By default one is fetched with Maven and run on this machine.",
        ),
    ] = None,
    events: Annotated[
        int, typer.Option(min=1000, help="How many events are ingested in one go.")
    ] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each side does so.")] = 3,
    rate: Annotated[float, typer.Option(min=1, help="Live events a second.")] = 100,
    seconds: Annotated[
        float, typer.Option(min=5, help="How long the live stream is watched.")
    ] = 120,
    short_history: Annotated[
        int, typer.Option(min=1000, help="Events before the cycles that others are held against.")
    ] = 100_000,
    long_history: Annotated[
        int, typer.Option(min=1000, help="Events before the cycles that must cost no more.")
    ] = 10_000_000,
    batch: Annotated[
        int, typer.Option(min=100, help="Events in a micro-batch of the histories.")
    ] = 5000,
    cycles: Annotated[int, typer.Option(min=1, help="Cycles measured on each history.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the simulated events.")] = 20250101,
    keep: Annotated[
        Path | None, typer.Option(help="New folder to keep data and outputs in.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PART", help=f"One of {', '.join(PARTS)}.")
    ] = None,
) -> None:
    """Measure how fast a stream lands, how soon it is in core, and what a cycle costs."""
    from rich.console import Console

    from wardhouse.project import project_directory

    console = Console()
    parts = _chosen_parts(only)
    rates = latency = histories = None
    with kept_or_temporary(keep) as place, console.status("starting") as status:
        bench = StreamBench(
            place,
            project_directory(),
            events,
            rounds,
            rate,
            seconds,
            (short_history, long_history),
            batch,
            cycles,
            seed,
        )
        try:
            if {"ingest", "latency"} & set(parts):
                status.update("starting Kafka")
                with _broker(bootstrap, place) as address:
                    if "ingest" in parts:
                        rates = measure_ingest(bench, address, status.update)
                    if "latency" in parts:
                        latency = measure_latency(bench, address, status.update)
            if "cycles" in parts:
                histories = [
                    measure_history(bench, length, status.update) for length in bench.histories
                ]
        except (ContenderError, queue.Empty) as error:
            reason = str(error) or "the first build took too long"
            console.print(reason, style="red", markup=False)
            raise typer.Exit(1) from None
    if rates or latency or histories:
        _print_verdicts(console, verdicts(rates, latency, histories))
    for line in details(rates, latency, histories):
        console.print(line, markup=False, highlight=False)
    console.print(describe_machine(PACKAGES), markup=False, highlight=False)


def _print_verdicts(console: Any, found: list[Verdict]) -> None:
    from rich.table import Table

    table = Table("measure")
    for heading in ("figure", "target", "met"):
        table.add_column(heading, justify="right")
    for each in found:
        target = f"{'at least' if each.is_floor else 'at most'} {each.target:g}{each.unit}"
        met, style = ("yes", "green") if each.is_met else ("no", "red")
        table.add_row(each.name, f"{each.figure:.2f}{each.unit}", target, met, style=style)
    console.print(table)
