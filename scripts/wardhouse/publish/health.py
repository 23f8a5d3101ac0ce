"""What the warehouse tells of itself: its last build, how tests ended, which days it holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from wardhouse.warehouse import identifier, relation

if TYPE_CHECKING:
    from datetime import date, datetime

    import duckdb

    from wardhouse.publish.declared import Declared

FAILED = ("error", "fail", "runtime error", "partial success")
LAST_BUILD = """
    select
        build_id, command, string_split(areas, ',') as areas, started_at, completed_at,
        minimum_cell_size
    from landing.builds order by started_at desc, build_id limit 1
"""
# A build of a part leaves the rest as the builds before it left it.
LAST_RUNS = """
    select
        node_runs.node_id,
        arg_max(node_runs.node_name, builds.started_at),
        arg_max(node_runs.resource_type, builds.started_at),
        arg_max(node_runs.status, builds.started_at),
        max(builds.started_at)
    from landing.node_runs as node_runs
    inner join landing.builds as builds using (build_id)
    group by node_runs.node_id
    order by node_runs.node_id
"""
ROWS_LEFT = """
    select row_counts.relation_name, arg_max(row_counts.n_rows, builds.started_at)
    from landing.row_counts as row_counts
    inner join landing.builds as builds using (build_id)
    where row_counts.column_name is null
    group by row_counts.relation_name
"""


@dataclass(frozen=True)
class Build:
    """The last build that the warehouse remembers; times are UTC, without a zone."""

    build_id: str
    command: str
    areas: list[str]
    started_at: datetime
    completed_at: datetime
    minimum_cell_size: int | None


@dataclass(frozen=True)
class Health:
    """How all that the project declares ended when it last ran.

    Attributes
    ----------
    n_tests_passed : int
        Data tests and unit tests that passed.
    n_tests_not_run : int
        Data tests that no build ran since it last built a table that they read.
    tests_warned : list of str
        Names of tests of severity warn that found something.
    failed : list of str
        Names of tests of severity error that failed, and of tables that could not be built.
    skipped : list of str
        Names of what was not run because of those.
    """

    n_tests_passed: int
    n_tests_not_run: int
    tests_warned: list[str]
    failed: list[str]
    skipped: list[str]

    @property
    def is_good(self) -> bool:
        """Whether nothing failed, and nothing was skipped for that."""
        return not self.failed and not self.skipped

    def told(self) -> dict[str, Any]:
        """Give it as the manifest of a version tells it."""
        return {"is_good": self.is_good, **asdict(self)}


def last_build(connection: duckdb.DuckDBPyConnection) -> Build | None:
    """Return the last build that is remembered, or None."""
    found = connection.execute(LAST_BUILD).fetchone()
    return Build(*found) if found else None


def health_of(connection: duckdb.DuckDBPyConnection, declared: Declared) -> Health:
    """Return how each node that is still declared ended when it last ran."""
    runs = {
        node_id: (name, kind, status, started_at)
        for node_id, name, kind, status, started_at in connection.execute(LAST_RUNS).fetchall()
        if node_id in declared.nodes
    }
    ended: dict[str, list[str]] = {}
    for name, kind, status, _ in runs.values():
        ended.setdefault("failed" if status in FAILED else f"{kind} {status}", []).append(name)
    not_run = [
        node
        for node, read in declared.nodes.items()
        if node.startswith("test.")
        and (built := [runs[each][-1] for each in read if each in runs])
        and (node not in runs or runs[node][-1] < max(built))
    ]
    return Health(
        len(ended.get("test pass", []) + ended.get("unit_test pass", [])),
        len(not_run),
        ended.get("test warn", []),
        ended.get("failed", []),
        [name for kind, names in ended.items() if kind.endswith(" skipped") for name in names],
    )


def rows_left(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return how many rows the last build of each table left, by its name with the schema."""
    return dict(connection.execute(ROWS_LEFT).fetchall())


def data_period(
    connection: duckdb.DuckDBPyConnection, declared: Declared
) -> dict[str, dict[str, str]]:
    """Return the first and the last day of each fact that has any, by schema, fact and column."""
    found = {}
    built = relations(connection)
    for schema, fact, column in declared.days:
        if (schema, fact) in built:
            first, last = _ends(connection, schema, fact, column)
            if first is not None:
                found[f"{schema}.{fact}.{column}"] = {
                    "first_date": first.isoformat(),
                    "last_date": last.isoformat(),
                }
    return found


def _ends(
    connection: duckdb.DuckDBPyConnection, schema: str, fact: str, column: str
) -> tuple[date | None, date | None]:
    day = f"{identifier(column)}::date"
    query = f"select min({day}), max({day}) from {relation(schema, fact)}"  # noqa: S608
    return connection.execute(query).fetchone()


def relations(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Name the tables and views of the warehouse, by schema and name."""
    return set(
        connection.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_catalog = current_database()"
        ).fetchall()
    )
