"""What tests share: the parsed project, warehouses that are only read, a broker, and the order."""

import fcntl
import os
import pickle
from collections.abc import Callable
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builds import SAMPLE, Builder, Outcome, parse, seed, shared_data
from publishing import publish_sample
from wardhouse.publish.snapshot import Published
from wardhouse.streaming.build import collect_seldom


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a broker, and begin with the files that take long.

    Of these one that computes and one that waits follow by turns: a worker takes file by file, so
    two workers end together, and seldom both wait. Within a file the order stays.
    """
    marks: dict[Path, set[str]] = {}
    for item in items:
        if "kafka_broker" in item.fixturenames:
            item.add_marker(pytest.mark.system)
        marks.setdefault(item.path, set()).update(mark.name for mark in item.iter_markers())
    long = [path for path in marks if "long" in marks[path]]
    waiting = [path for path in long if "waiting" in marks[path]]
    computing = [path for path in long if "waiting" not in marks[path]]
    turns = chain.from_iterable(zip_longest(waiting, computing))
    places = {path: place for place, path in enumerate(path for path in turns if path)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], Any]], Any]:
    """Return a function that makes something in a place of its own, once for all workers."""
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent

    def once(name: str, make: Callable[[Path], Any]) -> Any:
        made = common / f"{name}.pickle"
        with (common / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                made.write_bytes(pickle.dumps(make(tmp_path_factory.mktemp(name))))
        return pickle.loads(made.read_bytes())

    return once


@pytest.fixture(scope="session")
def manifest(once):
    """Return the project's manifest."""
    parsed = once("manifest", parse)
    collect_seldom()
    return parsed


@pytest.fixture(scope="session")
def dbt(manifest, once) -> Builder:
    """Return what runs a dbt command of the project on a raw directory, in a place."""
    return Builder(manifest, once("seeds", lambda place: seed(manifest, place)))


@pytest.fixture(scope="session")
def built_once(once) -> Callable[[str, Callable[[Path], Outcome]], Outcome]:
    """Return a function that builds a warehouse that is only read, once for all workers."""

    def checked(build: Callable[[Path], Outcome], place: Path) -> Outcome:
        outcome = build(place)
        assert outcome.success, outcome.message
        return outcome

    return lambda name, build: once(name, lambda place: checked(build, place))


@pytest.fixture(scope="session")
def built_elsewhere(built_once) -> Callable[..., Path]:
    """Return a function that gives a database to start from, with models of areas without a file.

    Whatever the raw directory that it is built on holds, the database takes any other.
    """

    def once(name: str, dbt: Builder, raw_dir: Path, *selection: str) -> Path:
        def build(place: Path) -> Outcome:
            outcome = dbt(raw_dir, place, *selection)
            with duckdb.connect(str(outcome.database)) as connection:
                connection.execute("delete from landing.warehouse_state")
            return outcome

        return built_once(name, build).database

    return once


@pytest.fixture(scope="session")
def lab_raw_dir(tmp_path_factory) -> Path:
    """Return a raw directory with the lab's real files as its area hospital."""
    raw_dir = tmp_path_factory.mktemp("lab_raw")
    (raw_dir / "hospital").symlink_to(shared_data("hospital_lab"), target_is_directory=True)
    return raw_dir


@pytest.fixture(scope="session")
def lab(dbt, lab_raw_dir, built_once) -> Outcome:
    """Return the warehouse built on the lab's real files."""
    arguments = ("build", "--selector", "hospital")
    return built_once("lab", lambda place: dbt(lab_raw_dir, place, *arguments, areas="hospital"))


@pytest.fixture(scope="session")
def sample(dbt, built_once) -> Outcome:
    """Return the warehouse built on the shipped sample, with every test that there is."""
    return built_once("sample", lambda place: dbt(SAMPLE, place))


@pytest.fixture(scope="session")
def sample_published(manifest, sample, once) -> Published:
    """Return the version in which the built sample is published, to both audiences."""
    return once("published", lambda place: publish_sample(manifest, sample.database, place))


@pytest.fixture(scope="module")
def postgresql():
    """Return the address of a PostgreSQL of the file's own, or skip where there is none."""
    from wardhouse.bench.local_postgresql import UnavailableError, running_server

    try:
        with running_server() as url:
            yield url
    except UnavailableError as reason:
        pytest.skip(str(reason))


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
