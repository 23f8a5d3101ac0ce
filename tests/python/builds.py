"""Builds of a dbt project on raw directories that tests make, in the tests' own process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from wardhouse.warehouse import open_to_read

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE = PROJECT / "seeds" / "sample"
SHARED_DATA = PROJECT.parent / "shared" / "data"
SHARED_CASES = PROJECT.parent / "shared" / "cases"
# A build leaves its database and exports; nobody reads its logs and artifacts. Told to be quiet,
# dbt writes each line and drops it.
UNWRITTEN = ("--log-level", "none", "--log-level-file", "none", "--no-write-json")
ENVIRONMENT = (
    "WARDHOUSE_RAW_DIR",
    "WARDHOUSE_AREAS",
    "WARDHOUSE_DB",
    "WARDHOUSE_EXPORT_DIR",
    "WARDHOUSE_ALLOW_OUTSIDE_LINKS",
    "WARDHOUSE_PUBLISH_DIR",
    "WARDHOUSE_KEYS_FILE",
    "WARDHOUSE_SERVE_NAME",
    "WARDHOUSE_SERVE_PORT",
)


@dataclass(frozen=True)
class Outcome:
    """What one dbt command did."""

    success: bool
    message: str
    statuses: dict[str, str]
    database: Path
    exports: Path

    def query(self, sql: str) -> list[tuple]:
        """Ask the warehouse that the command left."""
        with open_to_read(self.database) as connection:
            return connection.execute(sql).fetchall()

    def frame(self, sql: str):
        """Ask the warehouse and get a pandas frame."""
        with open_to_read(self.database) as connection:
            return connection.execute(sql).df()


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set the project's environment variables, and put them back."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    for name in ENVIRONMENT:
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def holding(database: Path) -> Iterator[subprocess.Popen]:
    """Let another process have a database open."""
    program = "import duckdb, sys; it = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"1\n"
        yield process
        process.communicate(b"\n", timeout=20)


def invoke(arguments: list[str], manifest=None, project: Path = PROJECT, callbacks=()):
    """Run dbt in this process, tell its events to callbacks, and let go of the database file."""
    from dbt.cli.main import dbtRunner
    from wardhouse.streaming.build import let_go_of_database

    try:
        return dbtRunner(manifest=manifest, callbacks=list(callbacks)).invoke(
            [*arguments, "--project-dir", str(project), "--profiles-dir", str(project)]
        )
    finally:
        let_go_of_database()


def parse(place: Path, project: Path = PROJECT):
    """Parse a project and return its manifest."""
    with environment({"WARDHOUSE_DB": str(place / "wardhouse.duckdb")}):
        result = invoke(["--quiet", "parse", "--target-path", str(place)], project=project)
    assert result.success, result.exception
    result.result.selectors = {}  # dbt cannot copy a manifest that has any
    return result.result


class Builder:
    """Runs dbt commands of a project on a raw directory and a place for their outputs.

    Seeds are the same in every build: where there is a database that holds them, a build starts
    with a copy of it.
    """

    def __init__(self, manifest, seeds: Path | None = None, project: Path = PROJECT):
        self.manifest, self.seeds, self.project = manifest, seeds, project

    def __call__(
        self,
        raw_dir: Path,
        place: Path,
        *arguments: str,
        areas: str = "",
        start: Path | None = None,
        name: str = "wardhouse.duckdb",
        exports: Path | None = None,
        callbacks=(),
    ) -> Outcome:
        """Run a command, by default a whole build, on a database of a name."""
        database, exports = place / name, exports or place / "exports"
        start = start or self.seeds
        if start and arguments[:1] == ("build",) and "--full-refresh" not in arguments:
            if not database.exists():
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(start, database)
            arguments += ("--exclude-resource-types", "seed")
        arguments = arguments or ("build",)
        values = {
            "WARDHOUSE_RAW_DIR": str(raw_dir),
            "WARDHOUSE_AREAS": areas,
            "WARDHOUSE_DB": str(database),
            "WARDHOUSE_EXPORT_DIR": str(exports),
            "WARDHOUSE_ALLOW_OUTSIDE_LINKS": "1",  # of areas to real data
        }
        folders = ["--target-path", str(place / "target"), "--log-path", str(place / "logs")]
        with environment(values):
            command = [*UNWRITTEN, *arguments, *folders]
            result = invoke(command, self.manifest.deepcopy(), self.project, callbacks)
        messages = [str(result.exception)] if result.exception else []
        statuses = {}
        for node in getattr(result.result, "results", None) or []:
            statuses[node.node.name] = str(node.status)
            if node.status in ("error", "fail", "runtime error"):
                messages.append(f"{node.node.name}: {node.message}")
        return Outcome(result.success, "\n".join(messages), statuses, database, exports)


def seed(manifest, place: Path, project: Path = PROJECT) -> Path:
    """Return a database that holds a project's seeds and remembers no build."""
    database = place / "wardhouse.duckdb"
    folders = ["--target-path", str(place / "target"), "--log-path", str(place / "logs")]
    with environment({"WARDHOUSE_DB": str(database)}):
        result = invoke([*UNWRITTEN, "seed", *folders], manifest.deepcopy(), project)
    assert result.success, result.exception
    with duckdb.connect(str(database)) as connection:
        schemas = connection.execute(
            "select schema_name from duckdb_schemas() where database_name = current_database() "
            "and not internal and schema_name not in ('main', 'reference')"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(f"drop schema {schema} cascade")
    return database


def in_system(*values):
    """Give the values of one case of a parametrised test that `make test-system` alone runs."""
    return pytest.param(*values, marks=pytest.mark.system)


def in_fast_suite(values: Iterable, *fast) -> list:
    """Give the cases of a parametrised test: `make test-system` alone runs those not named."""
    return [value if value in fast else in_system(value) for value in values]


def areas_of(manifest) -> list[str]:
    """Name the areas of a project: those of which it declares raw feeds."""
    sources = manifest.sources.values()
    return sorted({each.source_name for each in sources if each.schema.startswith("raw_")})


def keeping(manifest, area: str) -> list[str]:
    """Name what keeps rows from build to build and is made of an area's feeds.

    The rest is made of them in every build. `ml.model_runs` speaks of builds.
    """
    manifest.build_parent_and_child_maps()
    children = manifest.child_map
    found, ahead = set(), [n for n, each in manifest.sources.items() if each.source_name == area]
    while ahead:
        new = set(children[ahead.pop()]) - found
        found |= new
        ahead += new
    nodes = [manifest.nodes[name] for name in found if name in manifest.nodes]
    made = [node for node in nodes if str(node.resource_type) in ("model", "snapshot")]
    kept = [node for node in made if node.config.materialized not in ("table", "view")]
    return sorted(node.name for node in kept if node.name != "model_runs")


def shared_data(folder: str) -> Path:
    """Return a folder of the shared real data, or skip the test with the reason."""
    path = SHARED_DATA / folder
    if not path.is_dir():
        pytest.skip(f"real data not here: {path.relative_to(PROJECT.parent)}")
    return path


def shared_case(name: str) -> Path:
    """Return the raw directory of a shared case, or skip the test with the reason."""
    path = SHARED_CASES / name
    if not path.is_dir():
        pytest.skip(f"case not here: {path.relative_to(PROJECT.parent)}")
    return path
