# ruff: noqa: S608 - the texts put into SQL are the landing's own queries
"""What `wardhouse inspect` shows of a raw directory."""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from wardhouse.landing.feeds import choose_areas, declared_feeds
from wardhouse.landing.headers import FeedPlan
from wardhouse.landing.options import read_options
from wardhouse.landing.plan import plan_feed
from wardhouse.landing.readers import identifier
from wardhouse.settings import named_directory


@dataclass
class FeedReport:
    """What `wardhouse inspect` says of one feed; `rows` are texts under the declared names."""

    label: str
    files: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)
    undeclared: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    rows: list[tuple] = field(default_factory=list)


def inspect_directory(
    raw_dir: Path, areas: str, project_dir: Path, n_rows: int
) -> tuple[list[FeedReport], list[str]]:
    """Look at a raw directory as a build would, without building.

    Parameters
    ----------
    raw_dir
        Directory with a folder per area.
    areas
        Area names separated by commas; empty for those that have a folder.
    project_dir
        The dbt project whose feeds are looked for.
    n_rows
        Rows read from each feed.

    Returns
    -------
    reports, problems
        One report per feed of the areas, and what is wrong with the directory itself.
    """
    raw_dir = named_directory(raw_dir)
    feeds = declared_feeds(project_dir)
    chosen, problems = choose_areas(raw_dir, areas, (feed.area for feed in feeds))
    options, bad_options = read_options(raw_dir, feeds)
    plans = [
        plan_feed(raw_dir, feed, {} if bad_options else options.get((feed.area, feed.name), {}))
        for feed in feeds
        if feed.area in chosen
    ]
    return [_report(plan, n_rows) for plan in plans], problems + bad_options


def _report(plan: FeedPlan, n_rows: int) -> FeedReport:
    report = FeedReport(plan.feed.label, problems=list(plan.problems))
    errors = {row["source_file"]: row["error"] for row in plan.unreadable}
    for file in plan.files:
        line = f"{file.source_file}  {file.kind}, {file.n_bytes:,} bytes"
        if file.source_file in errors:
            line += f", for quarantine: {errors[file.source_file]}"
        report.files.append(line)
    if not plan.files and not plan.problems:
        report.files.append("not there, optional")
    if plan.mapping:
        report.mapping = {
            column.name: " or ".join(plan.mapping[column.name])
            or ("MISSING" if column.required else "absent: null")
            for column in plan.feed.columns
        }
    report.undeclared = sorted({name for _, name in plan.undeclared})
    if plan.select and not plan.problems:
        names = ", ".join(identifier(column.name) for column in plan.feed.columns)
        try:
            with duckdb.connect() as connection:
                found = connection.execute(f"select {names} from ({plan.select}) limit ?", [n_rows])
                report.header = [column[0] for column in found.description]
                report.rows = found.fetchall()
        except duckdb.Error as error:
            report.problems.append(str(error))
    return report
