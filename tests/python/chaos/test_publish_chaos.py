"""Killed at any moment, a publisher leaves a version to read, and the next one cleans up."""

import os
import pty
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builds import environment
from publishing import MARTS, Warehouse, build, write_clinic
from wardhouse.publish.read import newest, open_views

pytestmark = [pytest.mark.long, pytest.mark.system, pytest.mark.waiting]

N_KILLS = 20
N_WARDS = 20_000  # so that writing takes a while
# Publishes again and again, and says so before each.
PROGRAM = """
import sys
from pathlib import Path
from wardhouse.publish.snapshot import publish
while True:
    print("begins", flush=True)
    publish(*map(Path, sys.argv[1:]), keep=2)
"""


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Warehouse:
    place = tmp_path_factory.mktemp("clinic")
    built = build(write_clinic(place / "project"), place, "V1,P1,Ward 1,12.5,")
    built.execute(
        *(
            f"insert into {mart} by name select range as cost from range({N_WARDS})"
            for mart in MARTS
        )
    )
    return built


def test_publisher_killed_at_random_moments_leaves_a_version_and_no_trace(clinic):
    place = [str(path) for path in (clinic.database, clinic.dbt_manifest, clinic.folder)]
    clinic.set_costs(N_KILLS)
    began = time.monotonic()
    clinic.publish(keep=2)
    seconds = time.monotonic() - began
    chance = random.Random(7)
    states = set()
    for kill in range(N_KILLS):
        clinic.set_costs(kill)  # as a build does while nobody publishes
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *place], stdout=subprocess.PIPE
        ) as it:
            assert it.stdout.readline() == b"begins\n"
            time.sleep(chance.uniform(0, 2 * seconds))
            it.send_signal(signal.SIGKILL)
        assert it.returncode == -signal.SIGKILL
        left = {path.name for path in clinic.folder.iterdir()} - {".lock", "current.json"}
        states.add(tuple(sorted(name.rstrip("0123456789") for name in left)))
        with (
            newest(clinic.folder, "internal") as snapshot,
            open_views(snapshot, "1GB") as connection,
        ):
            costs = connection.sql(
                " union ".join(f"select cost from {mart}" for mart in MARTS)
            ).fetchall()
            assert len(costs) == 1, "two versions in one"
            assert {table["name"] for table in snapshot.manifest["tables"]} == set(MARTS)
        done = clinic.publish(keep=2)
        left = sorted(path.name for path in clinic.folder.iterdir())
        number = int(done.folder.name)
        versions = [name for name in left if name.isdigit()]
        assert set(left) - set(versions) == {".lock", "current.json"}
        assert versions[-1] == f"{number:06}"
        assert len(versions) <= 2
    assert len(states) > 1, "every kill met the same moment"


def test_person_at_a_terminal_is_answered_until_quit(clinic):
    clinic.publish()
    ours, theirs = pty.openpty()
    command = Path(sys.executable).with_name("wardhouse")
    with environment({"WARDHOUSE_PUBLISH_DIR": str(clinic.folder)}):
        process = subprocess.Popen(
            [command, "sql"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    asked = "select nothing;\nselect ';\n' as a,\n41 + 1 as answer;\n.quit\n"
    os.write(ours, asked.encode())
    out, errors = process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0
    assert b"nothing" in errors
    assert b"42" in out
