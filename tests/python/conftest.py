"""Builds of the real project on raw directories that tests make."""

import fcntl
import gc
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import pytest

PROJECT = Path(__file__).resolve().parents[2]
SHARED_DATA = PROJECT.parent / "shared" / "data"
# What takes longest, for the workers of a run to end together; the others are short.
LONGEST_FIRST = (
    "test_bench",
    "test_incremental_stream",
    "test_stream_chaos",
    "test_stream",
    "test_incremental",
    "test_manifest",
    "test_broken_feeds",
    "test_patient_flow",
    "test_appointment_events",
    "test_ingest_chaos",
    "test_telehealth",
    "test_vip",
    "test_simulate",
    "test_telehealth_models",
)
# A build leaves its database and exports; nobody reads its logs and artifacts. Told to be quiet,
# dbt writes each line and drops it.
UNWRITTEN = ("--log-level", "none", "--log-level-file", "none", "--no-write-json")
ENVIRONMENT = (
    "WARDHOUSE_RAW_DIR",
    "WARDHOUSE_AREAS",
    "WARDHOUSE_DB",
    "WARDHOUSE_EXPORT_DIR",
    "WARDHOUSE_ALLOW_OUTSIDE_LINKS",
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
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def frame(self, sql: str):
        """Ask the warehouse and get a pandas frame."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql).df()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; within a file the order stays."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


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


def invoke(arguments: list[str], manifest=None):
    """Run dbt in this process, and let go of the database file."""
    from dbt.cli.main import dbtRunner
    from wardhouse.streaming.build import let_go_of_database

    try:
        return dbtRunner(manifest=manifest).invoke(
            [*arguments, "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        )
    finally:
        let_go_of_database()


@cache
def parsed_manifest(target: str):
    """Parse the project once in a process."""
    result = invoke(["--quiet", "parse", "--target-path", target])
    assert result.success, result.exception
    result.result.selectors = {}  # dbt cannot copy a manifest that has any
    return result.result


@pytest.fixture(scope="session")
def manifest(tmp_path_factory):
    """Return the project's manifest."""
    folder = tmp_path_factory.mktemp("parse")
    with environment({"WARDHOUSE_DB": str(folder / "wardhouse.duckdb")}):
        parsed = parsed_manifest(str(folder))
    gc.collect()
    # It stays, and what a build makes lives as long as the build: collecting costs a tenth of it.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return parsed


@pytest.fixture(scope="session")
def seeds(manifest, tmp_path_factory) -> Path:
    """Return a database that holds the project's seeds and remembers no build."""
    place = tmp_path_factory.mktemp("seeds")
    database = place / "wardhouse.duckdb"
    folders = ["--target-path", str(place / "target"), "--log-path", str(place / "logs")]
    with environment({"WARDHOUSE_DB": str(database)}):
        result = invoke([*UNWRITTEN, "seed", *folders], manifest.deepcopy())
    assert result.success, result.exception
    with duckdb.connect(str(database)) as connection:
        schemas = connection.execute(
            "select schema_name from duckdb_schemas() where database_name = current_database() "
            "and not internal and schema_name not in ('main', 'reference')"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(f"drop schema {schema} cascade")
    return database


@pytest.fixture(scope="session")
def dbt(manifest, seeds) -> Callable[..., Outcome]:
    """Return a function that runs a dbt command on a raw directory and a place for its outputs.

    Seeds are the same in every build: one of a selection finds them in the database that it starts
    with.
    """

    def run(
        raw_dir: Path, place: Path, *arguments: str, areas: str = "", start: Path = seeds
    ) -> Outcome:
        database, exports = place / "wardhouse.duckdb", place / "exports"
        if arguments[:1] == ("build",) and "--full-refresh" not in arguments:
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
            result = invoke([*UNWRITTEN, *arguments, *folders], manifest.deepcopy())
        messages = [str(result.exception)] if result.exception else []
        statuses = {}
        for node in getattr(result.result, "results", None) or []:
            statuses[node.node.name] = str(node.status)
            if node.status in ("error", "fail", "runtime error"):
                messages.append(f"{node.node.name}: {node.message}")
        return Outcome(result.success, "\n".join(messages), statuses, database, exports)

    return run


def shared_data(folder: str) -> Path:
    """Return a folder of the shared real data, or skip the test with the reason."""
    path = SHARED_DATA / folder
    if not path.is_dir():
        pytest.skip(f"real data not here: {path.relative_to(PROJECT.parent)}")
    return path


@pytest.fixture(scope="session")
def lab_raw_dir(tmp_path_factory) -> Path:
    """Return a raw directory with the lab's real files as its area hospital."""
    raw_dir = tmp_path_factory.mktemp("lab_raw")
    (raw_dir / "hospital").symlink_to(shared_data("hospital_lab"), target_is_directory=True)
    return raw_dir


@pytest.fixture(scope="session")
def built_once(tmp_path_factory) -> Callable[..., Outcome]:
    """Return a function that builds a warehouse that is only read, once for all workers."""
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent

    def once(name: str, build: Callable[[Path], Outcome]) -> Outcome:
        told = common / f"{name}.pickle"
        with (common / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not told.exists():
                outcome = build(tmp_path_factory.mktemp(name))
                assert outcome.success, outcome.message
                told.write_bytes(pickle.dumps(outcome))
        return pickle.loads(told.read_bytes())

    return once


@pytest.fixture(scope="session")
def built_elsewhere(built_once) -> Callable[..., Path]:
    """Return a function that gives a database to start from, with models of areas without a file.

    Whatever the raw directory that it is built on holds, the database takes any other.
    """

    def once(name: str, dbt, raw_dir: Path, *selection: str) -> Path:
        def build(place: Path) -> Outcome:
            outcome = dbt(raw_dir, place, *selection)
            with duckdb.connect(str(outcome.database)) as connection:
                connection.execute("delete from landing.warehouse_state")
            return outcome

        return built_once(name, build).database

    return once


@pytest.fixture(scope="session")
def lab(dbt, lab_raw_dir, built_once) -> Outcome:
    """Return the warehouse built on the lab's real files."""
    arguments = ("build", "--selector", "hospital")
    return built_once("lab", lambda place: dbt(lab_raw_dir, place, *arguments, areas="hospital"))


@pytest.fixture(scope="session")
def sample(dbt, built_once) -> Outcome:
    """Return the warehouse built on the shipped sample, with every test that there is."""
    return built_once("sample", lambda place: dbt(PROJECT / "seeds" / "sample", place))


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory):
    """Return a real Kafka broker, or skip where Java or Maven is missing."""
    from wardhouse.bench.local_kafka import UnavailableError, kafka_jars, running_broker

    try:
        kafka_jars()
    except UnavailableError as reason:
        pytest.skip(str(reason))
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker
