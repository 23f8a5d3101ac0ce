"""What a stream leaves for readers after a cycle: its live answers, one version without history.

They have a folder and a pointer of their own beside the published versions, and are written by the
connection that built them: nobody waits for the database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any

import duckdb

from wardhouse.private_files import keep_private
from wardhouse.publish import versions
from wardhouse.publish.declared import table_of
from wardhouse.publish.files import told_time, write_table
from wardhouse.publish.health import relations
from wardhouse.publish.read import LIVE
from wardhouse.publish.versions import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def publish_live(
    connection: duckdb.DuckDBPyConnection,
    nodes: Iterable[dict[str, Any]],
    folder: Path,
    newest_event_at: float | None,
) -> None:
    """Write the live tables that are built, let the pointer name them, and remove those before.

    Parameters
    ----------
    connection
        To the warehouse; nobody else writes it meanwhile.
    nodes
        Models of the dbt manifest that declare `live: true`. Where none is built yet, nothing is
        written.
    folder
        Of the published versions (`WARDHOUSE_PUBLISH_DIR`).
    newest_event_at
        The newest event in core, in seconds since 1970, or None.

    Raises
    ------
    PublishError
        When they cannot be written, or another process writes them. What was live stays so.
    """
    keep_private()
    try:
        built = relations(connection)
        tables = [table for table in map(table_of, nodes) if (table.schema, table.name) in built]
        if not tables:
            return
        with versions.publishing(folder / LIVE) as writing:
            place = writing / "internal"
            place.mkdir()
            published_at = told_time(datetime.now(UTC))
            manifest = {
                "version": writing.name.removeprefix(versions.WRITING),
                "audience": "internal",
                "published_at": published_at,
                "newest_event_at": newest_event_at
                and told_time(datetime.fromtimestamp(newest_event_at, UTC)),
                "engine": {"name": "duckdb", "version": duckdb.__version__},
                "versions": {"wardhouse": version_of("wardhouse")},
                "tables": [
                    write_table(connection, table, place, "the project") for table in tables
                ],
            }
            versions.write_json(place / versions.MANIFEST, manifest)
            versions.finish(writing, published_at)
            versions.remove_old(folder / LIVE, keep=1)
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise PublishError(f"live answers cannot be published: {first}") from error
    except OSError as error:
        raise PublishError(
            f"{folder / LIVE} cannot take live answers: {error.strerror}; free its disk or permit "
            "it, or set WARDHOUSE_PUBLISH_DIR to another"
        ) from error
