"""`wardhouse publish`: writes the marts that declare `meta.publish` as one version of Parquet."""

from __future__ import annotations

import subprocess
from calendar import monthrange
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any

import duckdb

from wardhouse.private_files import keep_private
from wardhouse.publish import versions
from wardhouse.publish.cells import Filled
from wardhouse.publish.declared import Declared, Table, read_declared
from wardhouse.publish.files import told_time, write_rows, write_table
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
from wardhouse.publish.shared import IS_SUPPRESSED, write_shared
from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import HeldError, identifier, open_to_read, relation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

VIEWS = "views.sql"
AUDIT = "audit.json"
SUPPRESSED = {
    "name": IS_SUPPRESSED,
    "type": "BOOLEAN",
    "description": "Whether figures of the row are hidden, since few people are behind them or "
    "behind others that they would give away.",
    "pii": None,
}
NAMED = 3  # of what failed, in a message


@dataclass(frozen=True)
class Published:
    """What was published: the version's folder, its internal manifest, the audit of the shared."""

    folder: Path
    manifest: dict[str, Any]
    audit: dict[str, Any]


def publish(
    database: Path,
    dbt_manifest: Path,
    folder: Path,
    *,
    keep: int = 5,
    is_forced: bool = False,
    project_dir: Path | None = None,
    key: str | None = None,
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
    key
        Of pseudonyms; without one, tables that need it are not published.

    Raises
    ------
    PublishError
        When there is no build, it failed, it and the dbt manifest do not belong together, what is
        shared would give small groups away, or the folder cannot be written. The pointer then
        names what it named.
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
                there = [each for each in declared.tables if (each.schema, each.name) in built]
                given = [each for each in there if not each.pseudonyms or key]
                internal = writing / "internal"
                internal.mkdir()
                tables, shared = [], []
                for table in given:
                    source = _computed(connection, table) if table.audience == "shared" else None
                    tables.append(
                        write_table(connection, table, internal, dbt_manifest, key, source)
                    )
                    if source:
                        rows = _cells(connection, table.shared, source)
                        shared.append(Filled(table.shared, rows))
                period, left = data_period(connection, declared), rows_left(connection)
            _check(tables, left, database)
            published_at = told_time(datetime.now(UTC))
            told = {
                "version": writing.name.removeprefix(versions.WRITING),
                "published_at": published_at,
                **_origin(build, declared, project_dir),
                "data_period": _period(period),
                "health": {**health.told(), "is_forced": is_forced and not health.is_good},
            }
            manifest = {
                **told,
                "audience": "internal",
                "tables": tables,
                "tables_not_built": _titles(declared.tables, there),
                "tables_without_key": _titles(there, given),
            }
            _finish(internal, manifest)
            audit = _share(shared, declared, build.minimum_cell_size, writing / "shared", told)
            version = versions.finish(writing, published_at)
            versions.remove_old(folder, keep)
    except HeldError:
        raise
    except (OSError, duckdb.IOException) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise PublishError(
            f"{folder} cannot take a version: {reason}; free its disk or permit it, or set "
            "WARDHOUSE_PUBLISH_DIR to another"
        ) from error
    return Published(folder / version, manifest, audit)


def _titles(tables: list[Table], without: list[Table]) -> list[str]:
    return [table.title for table in tables if table not in without]


def _finish(place: Path, manifest: dict[str, Any]) -> None:
    (place / VIEWS).write_text(views(manifest["tables"]), encoding="utf-8")
    versions.write_json(place / versions.MANIFEST, manifest)


def _share(
    tables: list[Filled],
    declared: Declared,
    minimum: int,
    place: Path,
    told: dict[str, Any],
) -> dict[str, Any]:
    """Write what may leave the house, with its audit; return the audit."""
    place.mkdir()
    with duckdb.connect() as connection:

        def write(table: Table, rows: pa.Table) -> tuple[Path, dict[str, Any]]:
            path, entry = write_rows(connection, table, rows, place)
            entry["columns"].append(SUPPRESSED)
            return path, entry | {"cells": {"of": table.cells.of, "people": table.cells.people}}

        entries, audit = write_shared(tables, minimum, declared.consents, write)
    audit = {"version": told["version"], "published_at": told["published_at"], **audit}
    manifest = {
        **told,
        "audience": "shared",
        "data_period": told["data_period"] and _in_months(told["data_period"]),
        "minimum_cell_size": minimum,
        "tables": entries,
        "tables_withheld": audit["tables_withheld"],
    }
    _finish(place, manifest)
    versions.write_json(place / AUDIT, audit)
    return audit


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
    except duckdb.BinderException as error:
        raise _sizeless(database) from error
    if build is None:
        raise PublishError(f"{database} remembers no build: run wardhouse build first")
    if declared.generated_at < build.started_at:
        raise PublishError(
            f"{dbt_manifest} is older than the last build of {database}: build again, or name the "
            "folder of that build's artifacts by --target-path"
        )
    if build.minimum_cell_size is None:
        raise _sizeless(database)
    return build


def _sizeless(database: Path) -> PublishError:
    """Say that the last build is of a project that did not keep its minimum_cell_size."""
    return PublishError(f"{database} remembers no minimum_cell_size: run wardhouse build again")


def _refusal(health: Health) -> PublishError:
    wrong = health.failed or health.skipped
    named = ", ".join(wrong[:NAMED]) + (", ..." if len(wrong) > NAMED else "")
    return PublishError(
        f"nothing is published, the build is not good: {len(health.failed)} failed and "
        f"{len(health.skipped)} were skipped for it ({named}); mend it and build again, or publish "
        "it as it is by --force"
    )


def _computed(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """Take a shared table's rows, which are read twice: of a view they are computed but once."""
    source = "shared_rows"
    rows = relation(table.schema, table.name)
    connection.execute(f"create or replace temp table {source} as from {rows}")
    return source


def _cells(connection: duckdb.DuckDBPyConnection, table: Table, source: str) -> pa.Table:
    """Read a shared table in the order of what names its cells: figures would tell by theirs."""
    order = ", ".join(map(identifier, table.cells.of))
    columns = ", ".join(map(identifier, table.columns))
    query = f"select {columns} from {source} order by {order}"  # noqa: S608 - quoted names
    return connection.sql(query).to_arrow_table()


def _origin(build: Build, declared: Declared, project_dir: Path | None) -> dict[str, Any]:
    revision = project_dir and _git(project_dir, "rev-parse", "HEAD")
    changes = revision and _git(project_dir, "status", "--porcelain", "--untracked-files=no")
    return {
        "built_at": told_time(build.completed_at),
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


def _in_months(period: dict[str, Any]) -> dict[str, str]:
    """Give the months that the data are of: the first and the last day are days of few people."""
    first, last = (date.fromisoformat(period[name]) for name in ("first_date", "last_date"))
    last_of_month = monthrange(last.year, last.month)[1]
    return {
        "first_date": first.replace(day=1).isoformat(),
        "last_date": last.replace(day=last_of_month).isoformat(),
    }


def _period(facts: dict[str, dict[str, str]]) -> dict[str, Any] | None:
    if not facts:
        return None
    return {
        "first_date": min(fact["first_date"] for fact in facts.values()),
        "last_date": max(fact["last_date"] for fact in facts.values()),
        "facts": facts,
    }
