"""Builds of the real project on raw directories that tests make."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import pytest

PROJECT = Path(__file__).resolve().parents[2]
SHARED_DATA = PROJECT.parent / "shared" / "data"
ENVIRONMENT = ("WARDHOUSE_RAW_DIR", "WARDHOUSE_AREAS", "WARDHOUSE_DB", "WARDHOUSE_EXPORT_DIR")


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
    from wardhouse.stream import let_go_of_database

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
        return parsed_manifest(str(folder))


@pytest.fixture(scope="session")
def dbt(manifest) -> Callable[..., Outcome]:
    """Return a function that runs a dbt command on a raw directory and a place for its outputs."""

    def run(raw_dir: Path, place: Path, *arguments: str, areas: str = "") -> Outcome:
        arguments = arguments or ("build",)
        database, exports = place / "wardhouse.duckdb", place / "exports"
        values = {
            "WARDHOUSE_RAW_DIR": str(raw_dir),
            "WARDHOUSE_AREAS": areas,
            "WARDHOUSE_DB": str(database),
            "WARDHOUSE_EXPORT_DIR": str(exports),
        }
        folders = ["--target-path", str(place / "target"), "--log-path", str(place / "logs")]
        with environment(values):
            result = invoke(
                ["--quiet", "--log-level-file", "none", *arguments, *folders],
                manifest.deepcopy(),
            )
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
def lab(dbt, lab_raw_dir, tmp_path_factory) -> Outcome:
    """Return the warehouse built on the lab's real files."""
    arguments = ("build", "--exclude-resource-types", "unit_test")
    outcome = dbt(lab_raw_dir, tmp_path_factory.mktemp("lab"), *arguments, areas="hospital")
    assert outcome.success, outcome.message
    return outcome


@pytest.fixture(scope="session")
def sample(dbt, tmp_path_factory) -> Outcome:
    """Return the warehouse built on the shipped sample."""
    outcome = dbt(PROJECT / "seeds" / "sample", tmp_path_factory.mktemp("sample"))
    assert outcome.success, outcome.message
    return outcome


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory):
    """Return a real Kafka broker, or skip where Java or Maven is missing."""
    from wardhouse.local_kafka import UnavailableError, kafka_jars, running_broker

    try:
        kafka_jars()
    except UnavailableError as reason:
        pytest.skip(str(reason))
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker
