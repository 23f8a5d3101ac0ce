"""Loading PostgreSQL: the way of `wardhouse publish --to` against psycopg's COPY from CSV."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from wardhouse.bench.contenders import copy_script
from wardhouse.bench.measure import ContenderError
from wardhouse.publish.serving.column_types import typed
from wardhouse.publish.serving.postgresql import append, create_table
from wardhouse.publish.serving.server import commit, do, serving
from wardhouse.warehouse import quote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TARGET = 1.0  # at least as fast
# Ten columns of the types that marts have.
ROWS = """
    select
        range as row_key,
        (range % 1000)::integer as provider_number,
        'D' || lpad((range % 1000)::varchar, 4, '0') as provider_id,
        'Department ' || (range % 40) as department,
        date '2024-01-01' + (range % 730)::integer as visit_date,
        timestamp '2024-01-01' + to_seconds(range * 61) as admitted_at,
        (range % 100000 / 100)::decimal(18, 2) as revenue_amount,
        if(range % 7 = 0, null, (range % 480)::bigint) as wait_minutes,
        sqrt(range) as score,
        range % 3 = 0 as is_emergency
    from range({rows})
"""
CHECKED = """
    select count(*), sum(row_key), sum(revenue_amount), sum(wait_minutes), max(admitted_at)::text,
        count(*) filter (where is_emergency)
    from public.bench__visits
"""


@dataclass(frozen=True)
class Pair:
    """Seconds of one run of each, one after the other."""

    adbc: float
    copy: float


def measure_pairs(
    url: str, place: Path, rows: int, pairs: int, tell: Callable[[str], None]
) -> list[Pair]:
    """Load the same rows both ways into an empty table of the same types, by turns.

    Parameters
    ----------
    url
        Of a database of which the table public.bench__visits may be dropped.
    place
        A folder for the files.
    rows, pairs
        How many.
    tell
        Takes a line about progress.

    Returns
    -------
    list of Pair
        A first run of each, which warms up both, is left out.

    Raises
    ------
    ContenderError
        When they leave different rows.
    """
    csv, parquet = place / "visits.csv", place / "visits.parquet"
    with duckdb.connect() as views:
        query = ROWS.format(rows=rows)
        views.execute(f"copy ({query}) to {quote(str(parquet))} (format parquet)")
        views.execute(f"copy (from {quote(str(parquet))}) to {quote(str(csv))} (header)")
        views.execute("create schema bench")
        views.execute(f"create view bench.visits as from read_parquet({quote(str(parquet))})")
        described = views.sql("describe bench.visits").fetchall()
        told = [{"name": name, "type": kind, "description": ""} for name, kind, *_ in described]
        table = {
            "name": "bench.visits",
            "schema": "bench",
            "table": "visits",
            "n_rows": rows,
            "columns": told,
        }
        columns = typed(table)

        def by_adbc() -> None:
            with serving(url, "internal") as connection:
                append(connection, "public", table, columns, views)
                commit(connection)

        def by_copy() -> None:
            copy_script.load(url, "public.bench__visits", csv)

        found = []
        for number in range(pairs + 1):
            tell(f"pair {number} of {pairs}")
            seconds, left = [], []
            for way in (by_adbc, by_copy) if number % 2 else (by_copy, by_adbc):
                with serving(url, "internal") as connection:
                    do(connection, "drop table if exists public.bench__visits")
                    do(connection, create_table("public.bench__visits", columns))
                    commit(connection)
                began = time.perf_counter()
                way()
                seconds.append(time.perf_counter() - began)
                with serving(url, "internal") as connection:
                    left.append(do(connection, CHECKED))
            if left[0] != left[1]:
                raise ContenderError(f"the two ways left different rows: {left}")
            adbc, copy = seconds if number % 2 else reversed(seconds)
            found.append(Pair(adbc, copy))
    return found[1:]
