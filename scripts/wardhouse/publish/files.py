"""The files of a version: a table as Parquet, and what a manifest tells of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as file_name

from wardhouse.publish.pseudonyms import pseudonymised
from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import quote, relation

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from wardhouse.publish.declared import Table


def write_table(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    folder: Path,
    declared_by: Path | str,
    key: str | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Write a table, in an order that makes the same content the same file; return what it is.

    Parameters
    ----------
    connection
        To the warehouse.
    table
        As it is declared.
    folder
        Of the version that is being written.
    declared_by
        What a message names as the place of the declaration.
    key
        Of pseudonyms, where the table has any.
    source
        What holds its rows, where that is not the table itself.

    Raises
    ------
    PublishError
        When the table has other columns than are declared.
    """
    source = source or relation(table.schema, table.name)
    types = _types(connection, source)
    if list(types) != list(table.columns):
        raise PublishError(
            f"{table.title} has other columns than {declared_by} declares: build again"
        )
    if table.pseudonyms:
        exact = connection.sql(f"from {source}").to_arrow_table()
        source = "pseudonymised"
        connection.register(source, pseudonymised(exact, table, key))
        types = _types(connection, source)
    _, entry = _copy(connection, f"{source} order by all", types, table, folder)
    return entry


def write_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table, folder: Path
) -> tuple[Path, dict[str, Any]]:
    """Write rows of a table in their order; return the file, and what the manifest tells of it."""
    source = "ordered_rows"
    connection.register(source, rows)
    return _copy(connection, source, _types(connection, source), table, folder)


def _types(connection: duckdb.DuckDBPyConnection, source: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe {source}").fetchall()}


def _copy(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    types: dict[str, str],
    table: Table,
    folder: Path,
) -> tuple[Path, dict[str, Any]]:
    file = f"{file_name(table.schema, safe='')}/{file_name(table.name, safe='')}.parquet"
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    [n_rows] = connection.execute(
        f"copy (from {source}) to {quote(str(path))} (format parquet, compression zstd)"
    ).fetchone()
    with path.open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    return path, {
        "name": table.title,
        "schema": table.schema,
        "table": table.name,
        "file": file,
        "audience": table.audience,
        "is_patient_level": bool(table.pseudonyms),
        "description": " ".join(table.description.split()),
        "grain": table.grain,
        "key": table.key,
        "n_rows": n_rows,
        "n_bytes": path.stat().st_size,
        "sha256": sha256,
        "columns": [
            {
                "name": name,
                "type": types[name],
                "description": column.description,
                "pii": column.pii,
            }
            for name, column in table.columns.items()
        ],
    }


def told_time(moment: datetime) -> str:
    """Write a moment of UTC, with a zone or without, as manifests tell it."""
    return f"{moment.replace(tzinfo=None).isoformat()}Z"
