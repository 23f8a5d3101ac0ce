"""Measures the API beside a Flask and SQLite server of the same rows, in alternating pairs."""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pyarrow import parquet

from wardhouse.api.keys import add_key
from wardhouse.bench.measure import ContenderError
from wardhouse.bench.ports import free_ports
from wardhouse.project import PACKAGES as PACKAGES_FOLDER
from wardhouse.publish import versions
from wardhouse.publish.read import newest, open_views
from wardhouse.settings import child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SQLITE = "providers.sqlite"
CONTENDER = PACKAGES_FOLDER / "wardhouse" / "bench" / "contenders" / "api_script.py"
TABLE = "growth.provider_growth_summary"
PACKAGES = ("fastapi", "uvicorn", "pyarrow", "flask", "werkzeug")
OURS, THEIRS = "wardhouse serve", "flask and sqlite"
LIST, SINGLE = "list of 20", "single"
READERS = 4
START_SECONDS = 30
ANSWER_SECONDS = 10
SIZE = 20


@dataclass(frozen=True)
class Served:
    """A server that runs, and how it is asked.

    Attributes
    ----------
    port : int
    key : str
    prefix : str
        What comes before /providers.
    """

    port: int
    key: str
    prefix: str


@dataclass(frozen=True)
class Load:
    """What one server did in one round.

    Attributes
    ----------
    rate : float
        Requests a second.
    seconds : list of float
        Of each request.
    """

    rate: float
    seconds: list[float]

    def percentile(self, share: float) -> float:
        """Return the time within which a share of the requests was answered, in milliseconds."""
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))] * 1000


@dataclass(frozen=True)
class Comparison:
    """One kind of request, by both.

    Attributes
    ----------
    what : str
    ours, theirs : Load
        All rounds together.
    ratio : float
        Median over the rounds of our rate by theirs.
    """

    what: str
    ours: Load
    theirs: Load
    ratio: float


def write_rows(published: Path, place: Path, n_rows: int) -> list[str]:
    """Write the providers of the newest version, repeated under numbered names, for both servers.

    Parameters
    ----------
    published
        Of all versions (`WARDHOUSE_PUBLISH_DIR`).
    place
        Gets `published/` with one version, and `providers.sqlite`.
    n_rows
        How many providers.

    Returns
    -------
    list of str
        Stages of the pipeline, to filter by.

    Raises
    ------
    PublishError
        When nothing is published.
    ContenderError
        When it has no provider.
    """
    with newest(published, "internal") as snapshot, open_views(snapshot, "1GB") as connection:
        told = [each for each in snapshot.manifest["tables"] if each["name"] == TABLE]
        n_known = told[0]["n_rows"] if told else 0
        if not n_known:
            raise ContenderError(f"{TABLE} is not published, or empty: build growth, and publish")
        rows = connection.sql(
            "select * exclude (turn) replace (provider_name || ' ' || turn as provider_name) "  # noqa: S608
            f"from {TABLE}, range({-(-n_rows // n_known)}) as turns (turn) limit {n_rows}"
        ).to_arrow_table()
    with versions.publishing(place / "published") as writing:
        file = writing / "internal" / told[0]["file"]
        file.parent.mkdir(parents=True)
        parquet.write_table(rows, file)
        version = writing.name.removeprefix(versions.WRITING)
        manifest = {**snapshot.manifest, "version": version, "tables": told}
        (file.parents[1] / versions.MANIFEST).write_text(json.dumps(manifest))
        versions.finish(writing, manifest["published_at"])
    plain = [[_plain(value) for value in row.values()] for row in rows.to_pylist()]
    with closing(sqlite3.connect(place / SQLITE)) as database, database:
        database.execute(f"create table providers ({', '.join(rows.column_names)})")
        marks = ", ".join("?" * rows.num_columns)
        database.executemany(f"insert into providers values ({marks})", plain)  # noqa: S608
        database.execute("create index by_stage on providers (lower(pipeline_stage))")
        database.execute("create index by_name on providers (lower(provider_name))")
    return sorted({stage for stage in rows["pipeline_stage"].to_pylist() if stage})


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


@contextmanager
def _running(name: str, command: list[str], port: int, place: Path, **env: str) -> Iterator[None]:
    """Run a server until the end; it listens when this begins."""
    log = place / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=child_environment(PYTHONPATH=str(PACKAGES_FOLDER), **env),
        )
        try:
            until = time.monotonic() + START_SECONDS
            while process.poll() is None and time.monotonic() < until:
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            else:
                raise ContenderError(f"{name} does not start: {log.read_text()[-500:]}")
            yield
        finally:
            process.terminate()
            process.wait()


@contextmanager
def running_both(place: Path) -> Iterator[dict[str, Served]]:
    """Run both servers on what `write_rows` left, each in one process.

    Raises
    ------
    ContenderError
        When one does not start.
    """
    ports = free_ports(2)
    keys = place / "keys.json"
    token = add_key(keys, "bench", ["read"], None)
    ours = [sys.executable, "-m", "wardhouse.cli", "serve", "--port", str(ports[0])]
    theirs = [str(place / SQLITE), hashlib.sha256(token.encode()).hexdigest(), str(ports[1])]
    env = {"WARDHOUSE_PUBLISH_DIR": str(place / "published"), "WARDHOUSE_KEYS_FILE": str(keys)}
    unlimited = ["--rate", "1e9", "--burst", str(10**9)]
    with (
        _running("ours", [*ours, *unlimited], ports[0], place, **env),
        _running("theirs", [sys.executable, str(CONTENDER), *theirs], ports[1], place),
    ):
        yield {OURS: Served(ports[0], token, "/v1"), THEIRS: Served(ports[1], token, "")}


def ask(served: Served, path: str) -> Any:
    """Ask once, and read the answer.

    Raises
    ------
    ContenderError
        When it is none.
    """
    return json.loads(_answer(served, _written(served, path)))


def _written(served: Served, path: str) -> bytes:
    head = f"GET {served.prefix}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    return f"{head}X-API-Key: {served.key}\r\n\r\n".encode()


def _answer(served: Served, written: bytes) -> bytes:
    """Send a request by a connection of its own, as thin as Python allows; return the body.

    Flask's server keeps no connection, so neither is asked to.
    """
    read = []
    with socket.create_connection(("127.0.0.1", served.port), ANSWER_SECONDS) as connection:
        connection.sendall(written)
        while more := connection.recv(65_536):
            read.append(more)
    head, _, body = b"".join(read).partition(b"\r\n\r\n")
    if b" 200 " not in head[:15]:
        raise ContenderError(f"answered by {head[:100].decode(errors='replace')!r}")
    return body


def load(served: Served, paths: list[str], seconds: float) -> Load:
    """Ask by several threads at once, each through all paths in turn.

    Raises
    ------
    ContenderError
        When an answer is none.
    """
    found: list[float] = []
    with ThreadPoolExecutor(READERS) as pool:
        began = time.perf_counter()
        asked = [
            pool.submit(_ask_until, served, paths[at:] + paths[:at], began + seconds)
            for at in range(READERS)
        ]
        for each in asked:
            found += each.result()
        return Load(len(found) / (time.perf_counter() - began), found)


def _ask_until(served: Served, paths: list[str], end: float) -> list[float]:
    took = []
    for written in itertools.cycle([_written(served, path) for path in paths]):
        began = time.perf_counter()
        if began >= end:
            break
        _answer(served, written)
        took.append(time.perf_counter() - began)
    return took


def paths_of(stages: list[str], served: Served) -> dict[str, list[str]]:
    """Return what is asked: lists of 20 of each stage, and each provider of the first page."""
    lists = [
        f"/providers?pipeline_stage={quote(stage)}&sort=-total_cost&size={SIZE}&page={page}"
        for stage in stages
        for page in (1, 2)
    ]
    names = [row["provider_name"] for row in ask(served, lists[0])["items"]]
    return {LIST: lists, SINGLE: [f"/providers/{quote(name)}" for name in names]}


def check(both: dict[str, Served], paths: dict[str, list[str]]) -> None:
    """Check that both give the same rows.

    Raises
    ------
    ContenderError
        When they do not.
    """
    for path in (each for kind in paths.values() for each in kind):
        ours, theirs = (ask(served, path) for served in both.values())
        if _comparable(ours) != _comparable(theirs):
            raise ContenderError(f"the two give other rows at {path}")


def _comparable(answer: dict[str, Any]) -> Any:
    rows = answer["items"] if "items" in answer else [answer["item"]]
    if len(rows) > 1 and len(rows) != SIZE:
        raise ContenderError(f"a list holds {len(rows)} rows, not {SIZE}: give more --rows")
    # equal costs may come in any order; keys are texts in one and numbers in the other
    return sorted((row["total_cost"] or 0, row["n_encounters"] or 0) for row in rows)


def compare(
    both: dict[str, Served], paths: dict[str, list[str]], rounds: int, seconds: float
) -> Iterator[Comparison]:
    """Measure both by turns, and give one kind of request after the other."""
    for what, asked in paths.items():
        found: dict[str, list[Load]] = {name: [] for name in both}
        for number in range(rounds):
            for name in sorted(both, reverse=bool(number % 2)):
                found[name].append(load(both[name], asked, seconds))
        ratios = [
            ours.rate / theirs.rate for ours, theirs in zip(found[OURS], found[THEIRS], strict=True)
        ]
        together = {
            name: Load(
                statistics.median(each.rate for each in loads),
                [second for each in loads for second in each.seconds],
            )
            for name, loads in found.items()
        }
        yield Comparison(what, together[OURS], together[THEIRS], statistics.median(ratios))
