"""What the commands `wardhouse inspect` and `wardhouse quarantine` show."""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb


@dataclass
class FeedReport:
    """What `wardhouse inspect` says of one feed."""

    label: str
    files: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)
    undeclared: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    rows: list[tuple] = field(default_factory=list)


def project_directory() -> Path:
    """Find the dbt project: the current directory or one above it, else the package's own.

    Returns
    -------
    Path
        Folder that holds `dbt_project.yml`.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dbt_project.yml").is_file():
            return folder
    return Path(__file__).resolve().parents[2]


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
    from wardhouse.landing import choose_areas, declared_feeds, plan_feed, read_options

    raw_dir = raw_dir.resolve()
    feeds = declared_feeds(project_dir)
    chosen, problems = choose_areas(raw_dir, areas, (feed.area for feed in feeds))
    options, bad_options = read_options(raw_dir)
    reports = []
    for feed in feeds:
        if feed.area not in chosen:
            continue
        plan = plan_feed(raw_dir, feed, options.get((feed.area, feed.name), {}), "", {})
        report = FeedReport(feed.label, problems=plan.problems)
        report.files = [
            f"{file.source_file}  {file.kind}, {file.n_bytes:,} bytes" for file in plan.files
        ]
        report.problems += [f"{row['source_file']}: {row['error']}" for row in plan.unreadable]
        report.mapping = {
            column.name: " or ".join(plan.mapping.get(column.name, []))
            or ("MISSING" if column.required else "absent: null")
            for column in feed.columns
        }
        report.undeclared = sorted({name for _, name in plan.undeclared})
        if plan.select and not plan.problems and n_rows:
            with duckdb.connect() as connection:
                names = ", ".join(column.name for column in feed.columns)
                found = connection.execute(f"select {names} from ({plan.select}) limit {n_rows}")
                report.header = [column[0] for column in found.description]
                report.rows = found.fetchall()
        reports.append(report)
    return reports, problems + bad_options


def read_quarantine(
    database: Path, area: str | None, feed: str | None, limit: int, out: Path | None
) -> tuple[list[tuple], list[tuple]]:
    """Read `quality.quarantine`, and write it as CSV where asked.

    Parameters
    ----------
    database
        The warehouse's DuckDB file.
    area, feed
        Restrict to one area or feed; None for all.
    limit
        Records returned at most.
    out
        CSV file that receives every record, or None.

    Returns
    -------
    counts, records
        Rows (area, feed, reason, n) and rows (file, line, reason, record).

    Raises
    ------
    FileNotFoundError
        If nothing was built yet.
    """
    if not database.is_file():
        raise FileNotFoundError(f"{database} does not exist: run `dbt build` first")
    with duckdb.connect(str(database), read_only=True) as connection:
        chosen = "where area = coalesce($area, area) and feed = coalesce($feed, feed)"
        values = {"area": area, "feed": feed}
        counts = connection.execute(
            f"select area, feed, reason, count(*) as n from quality.quarantine {chosen} "
            "group by all order by n desc, area, feed, reason",
            values,
        ).fetchall()
        records = connection.execute(
            f"select source_file, line_number, reason, record from quality.quarantine {chosen} "
            "order by area, feed, source_file, line_number, reason, record limit $limit",
            values | {"limit": limit},
        ).fetchall()
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
            connection.sql(f"select * from quality.quarantine {chosen}", params=values).write_csv(
                str(out)
            )
    return counts, records
