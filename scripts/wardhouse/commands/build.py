"""`wardhouse build`: dbt's build with a progress bar, and an ending that says what came of it."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import Counter
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Column, Table

from wardhouse import settings
from wardhouse.streaming.build import at_record, plain_message

if TYPE_CHECKING:
    from pathlib import Path

ANY_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}
# With one of them dbt writes its own log, and nothing of ours is between its lines.
LOG_OPTIONS = {"--log-format", "--log-level", "--debug", "-d", "--quiet", "-q"}
BUILT = ("model", "seed", "snapshot")
FAILED = ("error", "fail", "runtime error", "partial success")
# What the ending says, and dbt would say before it.
SAID_AT_THE_END = re.compile(r"Log\w+Result|RunResult\w+|MainEncounteredError|MainStackTrace")
SUMMARY = (
    ("seed built", "seeds built"),
    ("snapshot built", "snapshots built"),
    ("model built", "models built"),
    ("test passed", "tests passed"),
    ("unit test passed", "unit tests passed"),
    ("warned", "warned"),
    ("skipped", "skipped"),
    ("failed", "failed"),
)
ROWS_SHOWN = 5
WIDE = 6  # columns; with more, each row that fails becomes a column
PLAIN_WIDTH = 100
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(context_settings=ANY_ARGUMENTS)
def build_command(
    context: typer.Context,
    unit_tests: Annotated[
        bool, typer.Option("--unit-tests", help="Run dbt's unit tests as well.")
    ] = False,
) -> None:
    """Build the warehouse and its data tests, and print what came of it.

    Takes every argument of `dbt build`, such as --selector, --select, --full-refresh or --vars.
    Exits as dbt does: with 0, with 1 when a model or test failed, with 2 when nothing could run.
    """
    from wardhouse.project import project_directory

    project_dir = project_directory()
    os.chdir(project_dir)  # as dbt does: relative paths begin there
    dbt_speaks = any(given.partition("=")[0] in LOG_OPTIONS for given in context.args)
    console = Console(stderr=dbt_speaks, highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    try:
        check_settings(project_dir, context.args)
    except settings.SettingError as error:
        fail(str(error), 2)
    began = time.monotonic()
    outcome = invoke(console, dbt_speaks, dbt_arguments(project_dir, context.args, unit_tests))
    if outcome.exception:
        fail(reason(outcome.exception), 2)
    results = outcome.result.results
    for done in results:
        print_problem(console, done)
    if not dbt_speaks:
        console.print()
        console.print(summary(results, time.monotonic() - began), soft_wrap=True)
        print_next(console, results)
    raise typer.Exit(0 if outcome.success else 1)


def fail(message: str, code: int) -> None:
    """Print a message in red, and end the command."""
    Console(stderr=True, highlight=False).print(escape(message), style="red", soft_wrap=True)
    raise typer.Exit(code)


def check_settings(project_dir: Path, arguments: list[str]) -> None:
    """Check the settings before dbt reads the project, which takes seconds.

    Raises
    ------
    SettingError
        Where one is wrong or missing.
    """
    settings.check_connection(is_production=chosen_target(arguments) == "prod")
    settings.raw_directory()
    staging = (project_dir / "models" / "staging").iterdir()
    settings.areas(sorted(folder.name for folder in staging if folder.is_dir()))


def chosen_target(arguments: list[str]) -> str | None:
    """Return the target that dbt's arguments name, or None.

    >>> chosen_target(["--full-refresh", "-t", "prod"]), chosen_target(["--target=dev"])
    ('prod', 'dev')
    """
    for given, following in pairwise([*arguments, ""]):
        name, _, value = given.partition("=")
        if name in ("--target", "-t"):
            return value or following
    return settings.dbt_target()


def dbt_arguments(project_dir: Path, given: list[str], unit_tests: bool) -> list[str]:
    """Return the arguments for dbt: what was given comes last, and so has the last word."""
    arguments = ["build", "--project-dir", str(project_dir), "--profiles-dir", str(project_dir)]
    if not unit_tests:
        arguments += ["--exclude-resource-type", "unit_test"]
    return [*arguments, *given]


def invoke(console: Console, dbt_speaks: bool, arguments: list[str]) -> Any:
    """Run dbt in this process, and show what it is at unless it does so itself."""
    if dbt_speaks:
        from dbt.cli.main import dbtRunner

        return dbtRunner().invoke(arguments)
    with Progress(console) as progress:
        from dbt.cli.main import dbtRunner  # takes a second

        runner = dbtRunner(callbacks=[progress.hear])
        return runner.invoke([*arguments, "--log-level", "none"])


class Progress:
    """Shows what dbt is at: a bar on a terminal, elsewhere a line for each table.

    Parameters
    ----------
    console
        Where to print.
    """

    def __init__(self, console: Console):
        from rich import progress

        self._console = console
        self._bar = progress.Progress(
            progress.BarColumn(bar_width=24, table_column=Column(min_width=24)),
            progress.TextColumn("{task.fields[count]}", justify="right"),
            progress.TimeElapsedColumn(),
            progress.TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            expand=True,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("reading the project", total=None, count="")

    def __enter__(self):
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_):
        """Take the bar away."""
        self._bar.stop()

    def hear(self, event: Any) -> None:
        """Take in an event of dbt: called from its threads."""
        name, level = event.info.name, event.info.level
        if name == "LogHookStartLine":
            is_start = ".on-run-start." in event.data.statement
            at_work = "landing the raw files" if is_start else "recording the build"
            self._bar.update(self._task, description=at_work)
        elif name == "LogStartLine":
            line = event.data
            self._bar.update(
                self._task,
                description=line.description.removeprefix("sql "),
                total=line.total,
                count=f"{line.index}/{line.total}",
            )
        elif name == "NodeFinished":
            self._finished(event.data.node_info)
        elif name == "JinjaLogInfo":
            self._console.print(event.info.msg, markup=False, soft_wrap=True)
        elif level in ("warn", "error") and not SAID_AT_THE_END.fullmatch(name):
            style = "yellow" if level == "warn" else "red"
            self._console.print(event.info.msg, style=style, markup=False, soft_wrap=True)

    def _finished(self, node: Any) -> None:
        self._bar.advance(self._task)
        if node.node_status in (*FAILED, "warn"):
            style = "yellow" if node.node_status == "warn" else "red"
            self._console.print(f"{node.node_status} in {escape(node.node_name)}", style=style)
        elif not self._console.is_terminal and node.resource_type in BUILT:
            place = f"{node.node_relation.schema}.{node.node_relation.alias}"
            self._console.print(f"{node.node_status:8} {node.materialized:12} {place}")


def reason(error: BaseException) -> str:
    """Return why nothing could run, and what to do about it, in one line."""
    from dbt.cli.exceptions import DbtUsageException

    message = plain_message(error)
    if isinstance(error, KeyboardInterrupt):
        return "stopped: what was built until then stays, build again for the rest"
    if isinstance(error, DbtUsageException):
        return f"{message.rstrip('.')}: `dbt build --help` lists what dbt takes"
    return message


def print_problem(console: Console, done: Any) -> None:
    """Print what a node that failed or warned has to say, of a data test the rows that fail."""
    status = str(done.status)
    if status not in (*FAILED, "warn"):
        return
    console.print()
    style = "yellow" if status == "warn" else "red"
    console.print(f"{status.upper()}  {escape(done.node.name)}", style=f"bold {style}")
    if done.node.resource_type == "test" and status in ("fail", "warn"):
        console.print(f"  {done.failures} rows, the first of them:")
        console.print(Padding(failing_rows(done.node.compiled_code), (0, 0, 0, 4), expand=False))
    elif done.node.resource_type == "unit_test":  # its message is a table
        console.print(escape(done.message), soft_wrap=True)
    else:
        told = plain_message(done.message)
        if done.node.resource_type == "model":
            told += at_record(done.node)
        console.print(f"  {escape(told)}", soft_wrap=True)
    if done.node.resource_type == "seed":
        cure = f"wardhouse build --full-refresh --select {done.node.name}"
        console.print(f"  where its columns changed since the last build: {cure}", soft_wrap=True)
    if path := getattr(done.node, "compiled_path", None):  # a seed has none
        console.print(f"  its SQL: {escape(path)}", soft_wrap=True)


def ask(query: str) -> tuple[list[str], list[list[str]]]:
    """Ask the database of the build: the columns, and the rows as texts."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    with closing(DuckDBConnectionManager.env().handle()) as handle:
        cursor = handle.cursor()
        cursor.execute(query)
        columns = [column[0] for column in cursor.description]
        rows = [["" if value is None else str(value) for value in row] for row in cursor.fetchall()]
    return columns, rows


def failing_rows(query: str) -> Table:
    """Ask a data test's query for the first rows that fail.

    Parameters
    ----------
    query
        The compiled test.

    Returns
    -------
    Table
        Of wide rows the columns are below each other.
    """
    columns, rows = ask(f"select * from ({query}\n) as failing order by all limit {ROWS_SHOWN}")  # noqa: S608 - dbt's own SQL
    if len(columns) > WIDE:
        numbers = [f"row {number}" for number in range(1, len(rows) + 1)]
        columns, rows = ["column", *numbers], list(zip(columns, *rows, strict=True))
    table = Table(*map(escape, columns), box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def summary(results: list[Any], seconds: float) -> str:
    """Return one line on what was built and tested."""
    counts: Counter[str] = Counter()
    for done in results:
        status, kind = str(done.status), str(done.node.resource_type)
        if status == "pass":
            counts[f"{kind.replace('_', ' ')} passed"] += 1
        elif status == "success" and kind in BUILT:
            counts[f"{kind} built"] += 1
        elif status in FAILED:
            counts["failed"] += 1
        elif status in ("skipped", "warn"):
            counts[status.replace("warn", "warned")] += 1
    told = ", ".join(
        f"{counts[name]} {many if counts[name] > 1 else name}"
        for name, many in SUMMARY
        if counts[name]
    )
    return f"{told or 'Nothing to build'} in {seconds:.1f} s"


def answers_built(results: list[Any]) -> list[Any]:
    """Return the marts with a headline that were built, of the areas that have files."""
    nodes = [
        done.node
        for done in results
        if str(done.status) == "success" and "headline" in done.node.config.meta
    ]
    if not nodes:
        return []
    [[areas]] = ask("select areas from landing.warehouse_state")[1]
    return [node for node in nodes if node.schema in areas.split(",")]


def print_next(console: Console, results: list[Any]) -> None:
    """Print where to look next: an answer of an area that was built, and what tells more."""
    steps = {} if shutil.which("dbt") else {"source .venv/bin/activate": "first, once in a shell"}
    for node in answers_built(results)[:1]:
        query = f'"select * from {node.schema}.{node.name}"'  # noqa: S608 - our names
        steps[f"dbt show --inline {query}"] = "rows of a table"
    steps["wardhouse quarantine"] = "what was refused, and why"
    steps["make docs"] = "tables and columns, one page"
    steps["less logs/dbt.log"] = "what dbt did"
    console.print()
    console.print("Look next")
    listed = Table.grid(padding=(0, 2, 0, 0))
    listed.add_column(no_wrap=True)
    for command, meaning in steps.items():
        listed.add_row(f"  {escape(command)}", meaning)
    console.print(listed)
