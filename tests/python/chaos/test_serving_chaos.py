"""Killed at any moment, a loader leaves PostgreSQL the version before, and readers see one each."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from serving import COSTS, PAIR, SCHEMAS, emptied, load_newest, write_version

pytestmark = [pytest.mark.long, pytest.mark.system, pytest.mark.waiting]

N_KILLS = 20
N_LOADS = 20
N_TABLES = 8
# Loads what is published, as a command does, and says so before.
PROGRAM = """
import sys
from pathlib import Path
from serving import load_newest
print("begins", flush=True)
load_newest(sys.argv[1], Path(sys.argv[2]))
"""


@pytest.fixture
def empty(postgresql):
    """Return the address of a database, with nothing of ours in it."""
    return emptied(postgresql)


@dataclass
class Read:
    """What readers saw, statement by statement, and what failed."""

    seen: list[list[tuple]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)


@contextmanager
def reading(url: str, queries: list[str]) -> Iterator[Read]:
    """Ask each question again and again beside what is done meanwhile."""
    read, is_over = Read(), threading.Event()

    def ask(query: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not is_over.is_set():
                try:
                    read.seen.append(connection.execute(query, prepare=False).fetchall())
                except psycopg.Error as error:
                    read.failures.append(error)
                    return

    threads = [threading.Thread(target=ask, args=(query,)) for query in queries]
    for thread in threads:
        thread.start()
    try:
        yield read
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def test_loader_killed_at_random_moments_leaves_a_version_and_no_trace(empty, tmp_path):
    folder, chance = tmp_path / "published", random.Random(7)
    big = {name: query.format(n=0) for name, query in PAIR.items()}
    big |= {f"clinic.big{n}": "select range as a from range(100000)" for n in range(4)}
    command = [sys.executable, "-c", PROGRAM, empty, str(folder)]
    here = Path(__file__).parents[1]
    write_version(folder, big)
    began = time.monotonic()
    subprocess.run(command, cwd=here, check=True)
    seconds = time.monotonic() - began
    n_loaded = 0
    with reading(empty, [COSTS]) as readers:
        for kill in range(1, N_KILLS + 1):
            for name in PAIR:
                big[name] = PAIR[name].format(n=kill)
            write_version(folder, big)
            with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=here) as it:
                assert it.stdout.readline() == b"begins\n"
                time.sleep(chance.uniform(0, seconds))
                it.send_signal(signal.SIGKILL)
            with psycopg.connect(empty) as reader:
                [[visits, wards]] = reader.execute(COSTS).fetchall()
                left = {name for [name] in reader.execute(SCHEMAS).fetchall()}
            assert visits == wards
            assert visits in (kill - 1, kill)
            n_loaded += visits == kill
            assert len(left) <= 4  # wardhouse, two versions, and one that was to be removed
            loaded = load_newest(empty, folder)
            with psycopg.connect(empty) as reader:
                assert reader.execute(COSTS).fetchall() == [(kill, kill)]
                left = {name for [name] in reader.execute(SCHEMAS).fetchall()}
            assert loaded.schema in left
            assert len(left - set(loaded.still_read)) <= 3
    assert readers.failures == []
    assert all(len(costs) == 1 and costs[0][0] == costs[0][1] for costs in readers.seen)
    assert n_loaded < N_KILLS, "no kill met a load"


def test_statement_of_many_tables_is_never_of_two_versions(empty, tmp_path):
    """Tables in any order, as short as statements are: a rename of schemas fails here."""
    folder, chance = tmp_path / "published", random.Random(7)
    names = [f"clinic.t{number}" for number in range(N_TABLES)]

    def publish(cost: int) -> None:
        write_version(folder, dict.fromkeys(names, f"select {cost} as cost"))
        load_newest(empty, folder)

    publish(0)
    queries = []
    for _ in range(3):
        tables = [f"wardhouse.{name.replace('.', '__')}" for name in names]
        chance.shuffle(tables)
        costs = ", ".join(f"{table}.cost" for table in tables)
        queries.append(f"select {costs} from {' cross join '.join(tables)}")
    with reading(empty, queries) as readers:
        for cost in range(1, N_LOADS + 1):
            publish(cost)
    assert readers.failures == []
    assert all(len(rows) == 1 and len(set(rows[0])) == 1 for rows in readers.seen)
    assert len({rows[0][0] for rows in readers.seen}) > N_LOADS / 2
