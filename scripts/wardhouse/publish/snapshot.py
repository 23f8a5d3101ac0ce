"""`wardhouse publish`: writes the marts that declare `meta.publish` as one version of Parquet."""

from __future__ import annotations

import hashlib
import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as file_name

import duckdb

from wardhouse.private_files import keep_private
from wardhouse.publish import versions
from wardhouse.publish.declared import Declared, Table, read_declared
from wardhouse.publish.health import (
    Build,
    Health,
    data_period,
    health_of,
    last_build,
    relations,
    rows_left,
)
from wardhouse.publish.read import views
from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import HeldError, identifier, open_to_read, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VIEWS = "views.sql"
NAMED = 3  # of what failed, in a message


@dataclass(frozen=True)
class Published:
    """What was published: the folder of the version, and what its internal manifest tells."""

    folder: Path
    manifest: dict[str, Any]


def publish(
    database: Path,
    dbt_manifest: Path,
    folder: Path,
    *,
    keep: int = 5,
    is_forced: bool = False,
    project_dir: Path | None = None,
) -> Published:
    """Write a version, let the pointer name it, and remove all but the last versions.

    Parameters
    ----------
    database
        The warehouse's DuckDB file. It is read once, and no build can begin meanwhile.
    dbt_manifest
        manifest.json of the build.
    folder
        Of all versions.
    keep
        Versions that stay, at least 1. One that the pointer names or somebody reads stays anyway.
    is_forced
        Whether to publish a build of which tests failed; the manifest says so.
    project_dir
        The checkout whose git revision the manifest tells; None tells none.

    Raises
    ------
    PublishError
        When there is no build, it failed, it and the dbt manifest do not belong together, or the
        folder cannot be written. The pointer then names what it named.
    HeldError
        When a build has the database.
    """
    declared = read_declared(dbt_manifest)
    keep_private()
    try:
        with versions.publishing(folder) as writing:
            with _reading(database) as connection:
                build = _build_of(connection, database, declared, dbt_manifest)
                health = health_of(connection, declared)
                if not (health.is_good or is_forced):
                    raise _refusal(health)
                built = relations(connection)
                place = writing / "internal"
                place.mkdir()
                tables = [
                    _write(connection, table, place, dbt_manifest)
                    for table in declared.tables
                    if (table.schema, table.name) in built
                ]
                period, left = data_period(connection, declared), rows_left(connection)
            _check(tables, left, database)
            published_at = _told(datetime.now(UTC).replace(tzinfo=None))
            manifest = {
                "version": writing.name.removeprefix(versions.WRITING),
                "audience": "internal",
                "published_at": published_at,
                **_origin(build, declared, project_dir),
                "data_period": _period(period),
                "health": {**health.told(), "is_forced": is_forced and not health.is_good},
                "tables": tables,
                "tables_not_built": [
                    table.title
                    for table in declared.tables
                    if (table.schema, table.name) not in built
                ],
            }
            (place / VIEWS).write_text(views(tables), encoding="utf-8")
            (place / versions.MANIFEST).write_text(
                json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
            version = versions.finish(writing, published_at)
            versions.remove_old(folder, keep)
    except HeldError:
        raise
    except OSError as error:
        raise PublishError(
            f"{folder} cannot take a version: {error.strerror}; free its disk or permit it, or set "
            "WARDHOUSE_PUBLISH_DIR to another"
        ) from error
    return Published(folder / version, manifest)


def _check(tables: list[dict[str, Any]], left: dict[str, int], database: Path) -> None:
    """Refuse what holds no table, or of which half lost its rows: `dbt build --empty` ran."""
    if not tables:
        raise PublishError(
            f"{database} has no table that declares publish: build the areas of your files"
        )
    filled = [table for table in tables if left.get(table["name"])]
    empty = [table for table in filled if not table["n_rows"]]
    if empty and 2 * len(empty) >= len(filled):
        raise PublishError(
            f"{database}: {len(empty)} of {len(filled)} tables are empty, and their last build "
            "left rows: build again without --empty"
        )


@contextmanager
def _reading(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    if not database.is_file():
        raise PublishError(f"there is no warehouse at {database}: run wardhouse build first")
    try:
        with open_to_read(database) as connection:
            connection.execute("begin")
            yield connection
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise PublishError(f"{database} cannot be published: {first}") from error


def _build_of(
    connection: duckdb.DuckDBPyConnection, database: Path, declared: Declared, dbt_manifest: Path
) -> Build:
    try:
        build = last_build(connection)
    except duckdb.CatalogException:
        build = None
    if build is None:
        raise PublishError(f"{database} remembers no build: run wardhouse build first")
    if declared.generated_at < build.started_at:
        raise PublishError(
            f"{dbt_manifest} is older than the last build of {database}: build again, or name the "
            "folder of that build's artifacts by --target-path"
        )
    return build


def _refusal(health: Health) -> PublishError:
    wrong = health.failed or health.skipped
    named = ", ".join(wrong[:NAMED]) + (", ..." if len(wrong) > NAMED else "")
    return PublishError(
        f"nothing is published, the build is not good: {len(health.failed)} failed and "
        f"{len(health.skipped)} were skipped for it ({named}); mend it and build again, or publish "
        "it as it is by --force"
    )


def _write(
    connection: duckdb.DuckDBPyConnection, table: Table, folder: Path, dbt_manifest: Path
) -> dict[str, Any]:
    """Write a table, in an order that makes the same content the same file; return what it is."""
    source = f"{identifier(table.schema)}.{identifier(table.name)}"
    types = {row[0]: row[1] for row in connection.execute(f"describe {source}").fetchall()}
    if list(types) != list(table.columns):
        raise PublishError(
            f"{table.title} has other columns than {dbt_manifest} declares: build again"
        )
    file = f"{file_name(table.schema, safe='')}/{file_name(table.name, safe='')}.parquet"
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    [n_rows] = connection.execute(
        f"copy (from {source} order by all) to {quote(str(path))} "
        "(format parquet, compression zstd)"
    ).fetchone()
    with path.open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    return {
        "name": table.title,
        "schema": table.schema,
        "table": table.name,
        "file": file,
        "audience": table.audience,
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


def _origin(build: Build, declared: Declared, project_dir: Path | None) -> dict[str, Any]:
    revision = project_dir and _git(project_dir, "rev-parse", "HEAD")
    changes = revision and _git(project_dir, "status", "--porcelain", "--untracked-files=no")
    return {
        "built_at": _told(build.completed_at),
        "build_id": build.build_id,
        "build_command": build.command,
        "areas": build.areas,
        "git_revision": revision,
        "has_uncommitted_changes": None if changes is None else bool(changes),
        "engine": {"name": "duckdb", "version": duckdb.__version__},
        "versions": {"wardhouse": version_of("wardhouse"), "dbt": declared.dbt_version},
    }


def _git(project_dir: Path, *arguments: str) -> str | None:
    """Ask git of a checkout; None where it is none, or there is no git."""
    try:
        asked = subprocess.run(
            ["git", "-C", str(project_dir), *arguments], capture_output=True, text=True
        )
    except FileNotFoundError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def _period(facts: dict[str, dict[str, str]]) -> dict[str, Any] | None:
    if not facts:
        return None
    return {
        "first_date": min(fact["first_date"] for fact in facts.values()),
        "last_date": max(fact["last_date"] for fact in facts.values()),
        "facts": facts,
    }


def _told(moment: datetime) -> str:
    return f"{moment.isoformat()}Z"
