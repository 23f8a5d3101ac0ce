"""What a warehouse holds, table by table and row by row, to hold one against another."""

import re
from pathlib import Path

from wardhouse.warehouse import open_to_read

# What tells of the run and not of the data: clocks, run ids, and what snapshots take from clocks.
RUN_COLUMNS = re.compile(r"fitted_at|landed_at|run_id|dbt_.*|valid_from|valid_to")
# Tables that speak of builds: their durations, sizes and fits, and the alerts drawn from them.
OF_BUILDS = re.compile(
    r"ml\.model_runs"
    r"|quality\.(builds|node_runs|row_counts|row_count_anomalies|alerts|alert_metrics.*)"
)
# Where the macros keep their notes, and what of it tells of the data.
NOTES = ("landing", "change_feed")
OF_DATA = re.compile(
    r"landing\.(landed_files|unreadable_records|undeclared_columns|feed_options|warehouse_state)"
)


def contents(database: Path) -> dict[str, dict[str, int]]:
    """Give every relation's rows as texts with their number, without columns that tell of a run."""
    found = {}
    with open_to_read(database) as connection:
        columns = connection.execute(
            "select table_schema || '.' || table_name, column_name from information_schema.columns "
            "where table_catalog = current_database() and table_schema not like 'raw_%' "
            "and table_schema <> 'information_schema' order by all"
        ).fetchall()
        for table in sorted({table for table, _ in columns if _is_compared(table)}):
            chosen = ", ".join(
                f'"{column}"'
                for name, column in columns
                if name == table and not RUN_COLUMNS.fullmatch(column)
            )
            rows = connection.execute(
                f"select row({chosen})::varchar as content, count(*) from {table} group by all"
            ).fetchall()
            found[table] = dict(rows)
    return found


def _is_compared(table: str) -> bool:
    if table.partition(".")[0] in NOTES:
        return bool(OF_DATA.fullmatch(table))
    return not OF_BUILDS.fullmatch(table)


def hashes(database: Path) -> dict[str, int]:
    """Give one hash of each relation's content."""
    return {table: hash(frozenset(rows.items())) for table, rows in contents(database).items()}


def assert_same(found: Path, expected: Path, at_least: int) -> None:
    """Hold two warehouses of at least so many tables against each other, to the row."""
    ours, theirs = contents(found), contents(expected)
    assert ours.keys() == theirs.keys(), sorted(ours.keys() ^ theirs.keys())
    assert len(ours) >= at_least, sorted(ours)
    differences = {
        table: sorted(ours[table].items() ^ theirs[table].items())[:6]
        for table in ours
        if ours[table] != theirs[table]
    }
    assert differences == {}, differences
