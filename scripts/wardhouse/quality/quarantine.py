# ruff: noqa: S608 - the texts put into SQL are fixed conditions
"""The records that a build refused, as `wardhouse quarantine` shows them."""

from pathlib import Path

import duckdb

from wardhouse.warehouse import open_to_read


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
    OSError
        If nothing was built yet, a build is running, or `out` cannot be written.
    """
    if not database.is_file():
        raise FileNotFoundError(f"{database} does not exist: run `dbt build` first")
    try:
        return _read_quarantine(database, {"area": area, "feed": feed}, limit, out)
    except duckdb.CatalogException as error:
        raise OSError(f"{database} has no quarantine yet: run `dbt build` first") from error
    except duckdb.Error as error:
        raise OSError(f"{database} cannot be read: {error}") from error


def _read_quarantine(
    database: Path, values: dict[str, str | None], limit: int, out: Path | None
) -> tuple[list[tuple], list[tuple]]:
    with open_to_read(database) as connection:
        chosen = "where area = coalesce($area, area) and feed = coalesce($feed, feed)"
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
