"""Versions to load into databases, written without a build; loads of them."""

import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg
from wardhouse.publish.read import newest, views
from wardhouse.publish.serving.postgresql import Loaded, load
from wardhouse.publish.serving.server import serving
from wardhouse.publish.versions import finish, publishing
from wardhouse.warehouse import quote

# Two answers that agree within a version, whatever the version.
PAIR = {
    "clinic.visits": "select range as visit_id, {n} as cost from range(50)",
    "clinic.wards": "select range as ward_id, {n} as cost from range(3)",
}

# What readers ask of both: one pair, where they see one version.
COSTS = """
    select distinct visits.cost, wards.cost
    from wardhouse.clinic__visits as visits cross join wardhouse.clinic__wards as wards
"""
SCHEMAS = "select nspname from pg_namespace where nspname like 'wardhouse%' order by 1"


def emptied(url: str) -> str:
    """Drop whatever is ours in a database; return its address."""
    with psycopg.connect(url) as administrator:
        for [name] in administrator.execute(SCHEMAS).fetchall():
            administrator.execute(f"drop schema {name} cascade")
    return url


def write_version(
    folder: Path,
    tables: dict[str, str],
    keys: dict[str, list[str]] | None = None,
    audience: str = "internal",
    types: dict[str, str] | None = None,
    of_patients: Collection[str] = (),
) -> str:
    """Publish tables, by their queries; return the version.

    `types` are told by the manifest in place of the file's, by column; `of_patients` names tables
    of single patients.
    """
    with publishing(folder) as writing, duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        told = [
            _write(connection, writing / audience, name, query, (keys or {}).get(name, []), types)
            for name, query in tables.items()
        ]
        now = f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}Z"
        manifest = {
            "version": writing.name.rpartition("-")[2],
            "audience": audience,
            "published_at": now,
            "built_at": now,
            "build_id": "a build",
            "git_revision": None,
            "data_period": {"first_date": "2024-01-01", "last_date": "2024-12-31"},
            "health": {"is_good": True},
            "tables": [
                {**table, "is_patient_level": table["name"] in of_patients} for table in told
            ],
        }
        (writing / audience / "views.sql").write_text(views(told))
        (writing / audience / "manifest.json").write_text(json.dumps(manifest))
        return finish(writing, now)


def _write(connection, place: Path, name: str, query: str, key: list[str], types) -> dict:
    schema, table = name.split(".")
    (place / schema).mkdir(parents=True, exist_ok=True)
    file = f"{schema}/{table}.parquet"
    connection.execute(f"create or replace temp table rows as {query}")
    described = connection.execute("describe rows").fetchall()
    [[n_rows]] = connection.sql("select count(*) from rows").fetchall()
    connection.execute(f"copy rows to {quote(str(place / file))} (format parquet)")
    return {
        "name": name,
        "schema": schema,
        "table": table,
        "file": file,
        "description": f'What {name} is; it\'s "one". One row per row.',
        "grain": "One row per row.",
        "key": key,
        "n_rows": n_rows,
        "columns": [
            {"name": column[0], "type": (types or {}).get(column[0], column[1]), "pii": None}
            | {"description": f"It's {column[0]}; $1 and \\n stay."}
            for column in described
        ],
    }


def write_pair(folder: Path, cost: int) -> str:
    """Publish two tables of which every cost is the same."""
    return write_version(folder, {name: query.format(n=cost) for name, query in PAIR.items()})


def load_newest(url: str, folder: Path, audience: str = "internal", patience: float = 60) -> Loaded:
    """Load what is published, as `wardhouse publish --current --to` does."""
    with serving(url, audience) as server, newest(folder, audience) as snapshot:
        return load(server, snapshot, "1GB", patience)
