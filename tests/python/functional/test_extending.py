"""docs/extending.md holds: its steps, followed in a copy of the project, give what it says."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from builds import PROJECT

pytestmark = [pytest.mark.system, pytest.mark.long]

BLOCK = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
COPIED = ("macros", "models", "seeds", "snapshots", "tests")
SETTINGS = ("dbt_project.yml", "profiles.yml", "selectors.yml", "pyproject.toml")
NEW = ("base_hospital__lab_orders", "stg_hospital__lab_orders", "fct_lab_orders", "lab_turnaround")


@dataclass(frozen=True)
class Copy:
    """A copy of the project, and the database that its builds make."""

    folder: Path

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of the environment in the copy; it must succeed."""
        ours = {
            "WARDHOUSE_AREAS": "hospital",
            "WARDHOUSE_DB": str(self.folder / "x.duckdb"),
            "WARDHOUSE_EXPORT_DIR": str(self.folder / "exports"),
        }
        # A pytest of its own, no worker of this one.
        left_out = ("WARDHOUSE", "PYTEST")
        kept = {k: value for k, value in os.environ.items() if not k.startswith(left_out)}
        done = subprocess.run(
            [Path(sys.executable).parent / program, *arguments],
            cwd=self.folder,
            env=kept | ours,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def query(self, sql: str) -> list[tuple]:
        """Ask the database of the copy."""
        with duckdb.connect(str(self.folder / "x.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def files(self) -> dict[str, bytes]:
        """Read what the project consists of."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for name in COPIED
            for path in (self.folder / name).rglob("*")
            if path.is_file()
        }


def follow(document: str, folder: Path) -> set[str]:
    """Do what the blocks of the document say, and name the files that they name."""
    named = set()
    for kind, name, text in BLOCK.findall(document):
        path = folder / name
        if kind == "diff":
            (old, new) = (
                "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] == sign)
                for sign in "-+"
            )
            assert path.read_text().count(old) == 1, name
            path.write_text(path.read_text().replace(old, new))
        else:
            with path.open("a") as opened:
                opened.write(text)
        named.add(name)
    return named


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> tuple[Copy, set[str]]:
    """Return a copy of the project that was extended and built, and the files that changed."""
    copy = Copy(tmp_path_factory.mktemp("extended"))
    for name in COPIED:
        shutil.copytree(
            PROJECT / name, copy.folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in SETTINGS:
        shutil.copy(PROJECT / name, copy.folder)
    before = copy.files()
    named = follow((PROJECT / "docs" / "extending.md").read_text(), copy.folder)
    after = copy.files()
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == named
    copy.run("dbt", "build", "--selector", "hospital")
    return copy, changed


def test_at_most_eight_files_are_touched(extended):
    _, changed = extended
    assert 0 < len(changed) <= 8
    shared = {name for name in changed if "hospital" not in name}
    assert shared == {"macros/areas.sql"}


def test_the_new_feed_gives_the_figures_of_its_sample(extended):
    copy, _ = extended
    assert copy.query("from hospital.lab_turnaround") == [
        ("Blood count", 3, 3, 3, 120.0, 150),
        ("Blood culture", 2, 2, 1, 2880.0, 2880),
        ("Lipids", 1, 1, 0, None, None),
    ]
    assert copy.query(
        "select n_files, n_raw, n_accepted, n_rejected, n_duplicates, n_repaired "
        "from quality.feed_reconciliation where feed = 'lab_orders'"
    ) == [(1, 11, 6, 3, 2, 1)]
    assert copy.query(
        "select reason, record ->> 'order_id' from quality.quarantine "
        "where feed = 'lab_orders' order by reason"
    ) == [
        ("missing_patient_id", "L007"),
        ("reported_before_order", "L006"),
        ("unreadable_ordered_at", "L008"),
    ]


def test_the_new_models_keep_the_rules_of_the_project(extended):
    copy, _ = extended
    [rules] = (copy.folder / "tests").rglob("test_manifest.py")
    unbuilt = "not did_run and not was_built and not documented_columns"
    arguments = ("-q", "-n", "0", "-p", "no:cacheprovider", "-k", unbuilt)
    printed = copy.run("pytest", *arguments, str(rules))
    assert int(re.search(r"(\d+) passed", printed)[1]) > 25
    assert "skipped" not in printed


def test_the_new_models_pass_their_tests(extended):
    copy, _ = extended
    printed = copy.run("dbt", "test", "--no-use-colors", "--select", *NEW)
    assert set(re.findall(r"PASS (\w+)::", printed)) == set(NEW)  # the unit tests


def test_a_changed_macro_has_the_files_of_those_that_call_it_read_again(extended):
    copy, _ = extended
    landed = "select feed, max(landed_at) from landing.landed_files group by feed"
    before = dict(copy.query(landed))
    path = copy.folder / "macros" / "engines" / "duckdb" / "parse_timestamp.sql"
    old = "{% macro duckdb__parse_timestamp(column, date_order, options={}) -%}\n    case\n"
    new = old + "        when {{ column }} = 'soon' then timestamp '2023-07-06 08:30:00'\n"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    copy.run("dbt", "run", "--select", "path:models/staging/hospital")
    after = dict(copy.query(landed))
    assert {feed for feed in after if after[feed] != before[feed]} == {"lab_orders"}
    soon = "select order_id from {} where ordered_at = '2023-07-06 08:30'"
    assert copy.query(soon.format("staging.stg_hospital__lab_orders")) == [("L008",)]
