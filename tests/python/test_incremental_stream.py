"""Streams build by what changed: after any change the star is what a full build makes of it."""

import json
import shutil
from datetime import datetime, timedelta

import pytest
from conftest import PROJECT, environment, invoke
from test_incremental import assert_same, contents
from typer.testing import CliRunner
from wardhouse.cli import app

# The areas' tables, and the quality tables that count; the data tests are asked elsewhere.
BUILD = ("build", "--exclude-resource-types", "test", "unit_test")
# All that remembers, and what counts its records: the rest is made anew in every build.
REMEMBERING = {
    "patient_flow": ("+fct_department_hour_flows", "+dim_department", "+dim_patient"),
    "telehealth": (
        *("+session_timeline", "+fct_appointments", "+dim_patient", "+dim_provider"),
        *("telehealth_patients_versions", "telehealth_providers_versions"),
    ),
}
COUNTED = ("+quarantine", "+feed_reconciliation")
# Who is there now depends on the clock, so it stands still.
CLOCK = ("--vars", "{as_of: '2025-09-04 00:00:00'}")


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Return a raw directory with a dirty simulated stream, a file for each of twelve days."""
    place = tmp_path_factory.mktemp("simulated")
    arguments = ["--out", str(place), "--duration", "12d", "--rate", "0.003", "--dirt", "3"]
    for stream in ("patient-flow", "telehealth"):
        result = CliRunner().invoke(app, ["simulate", stream, *arguments])
        assert result.exit_code == 0, result.output
    return place


class Followed:
    """A warehouse that follows the files of a feed, and full builds to compare with."""

    def __init__(self, dbt, place, area: str):
        self.dbt, self.place, self.area = dbt, place, area
        self.raw = place / "raw"

    def build(self, place, whole: bool = False):
        """Build what remembers of the area, or the whole area, in a place."""
        place.mkdir(exist_ok=True)
        part = (
            ("--selector", self.area) if whole else ("--select", *REMEMBERING[self.area], *COUNTED)
        )
        outcome = self.dbt(self.raw, place, *BUILD, *CLOCK, *part, areas=self.area)
        assert outcome.success, outcome.message
        return outcome

    def assert_follows(self, whole: bool = False):
        """Build after a change and hold the result against a full build."""
        found = self.build(self.place / "follows", whole)
        shutil.rmtree(self.place / "anew", ignore_errors=True)
        expected = self.build(self.place / "anew", whole)
        assert_same(found.database, expected.database)
        return found


def test_patient_flow_follows_whatever_happens_to_its_files(dbt, days, tmp_path):
    followed = Followed(dbt, tmp_path, "patient_flow")
    source = sorted((days / "patient_flow" / "patient_events").iterdir())
    folder = followed.raw / "patient_flow" / "patient_events"
    folder.mkdir(parents=True)
    for path in source[:11]:
        shutil.copy(path, folder)
    first = followed.build(tmp_path / "follows")
    before = first.query("select sum(n_events), count(*) from core.fct_patient_stays")[0]
    shutil.copy(source[11], folder)
    added = followed.assert_follows()
    anew = "select feed, version from change_feed.versions where version > 1 and is_complete"
    assert added.query(anew) == []
    after = added.query("select sum(n_events), count(*) from core.fct_patient_stays")[0]
    assert after[0] - before[0] > after[1] - before[1] > 50  # stays begun before were updated
    # A late event of the first day, a corrected one, and a file that is gone.
    late = json.loads(source[0].read_text(errors="replace").splitlines()[0])
    moment = datetime.fromisoformat(late["admission_time"])
    late |= {"event_id": "late", "discharge_time": (moment + timedelta(hours=50)).isoformat()}
    (folder / "late.ndjson").write_text(json.dumps(late) + "\n")
    (folder / source[1].name).write_bytes(
        source[1].read_bytes().replace(b'"Emergency"', b'"Intensive Care"', 40)
    )
    followed.assert_follows()
    (folder / source[0].name).unlink()
    followed.assert_follows(whole=True)


def test_a_build_without_anything_new_changes_nothing(dbt, days, tmp_path):
    followed = Followed(dbt, tmp_path, "patient_flow")
    shutil.copytree(days / "patient_flow", followed.raw / "patient_flow")
    before = contents(followed.build(tmp_path / "follows", whole=True).database)
    assert contents(followed.build(tmp_path / "follows", whole=True).database) == before


def test_a_follower_that_missed_a_build_makes_up_for_it(dbt, days, tmp_path):
    followed = Followed(dbt, tmp_path, "patient_flow")
    source = sorted((days / "patient_flow" / "patient_events").iterdir())
    folder = followed.raw / "patient_flow" / "patient_events"
    folder.mkdir(parents=True)
    shutil.copy(source[0], folder)
    followed.build(tmp_path / "follows")
    for path, arguments in [
        (source[1], ("build", "--select", "base_patient_flow__patient_events")),
        (source[2], ("run", "--full-refresh", "--select", "+fct_patient_stays")),
        (source[3], ("run", "--select", "+fct_patient_stays")),
    ]:
        shutil.copy(path, folder)
        arguments += ("--exclude-resource-types", "test") if arguments[0] == "build" else ()
        outcome = dbt(followed.raw, tmp_path / "follows", *arguments, areas="patient_flow")
        assert outcome.success, outcome.message
    followed.assert_follows()


def test_all_that_remembers_is_built(manifest, tmp_path):
    """Whatever the areas keep from build to build is in the parts; ml.model_runs speaks of fits."""

    def listed(*selection: str) -> set[str]:
        folders = ("--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs"))
        arguments = ["--quiet", "ls", "--output", "name", *selection, *folders]
        with environment({"WARDHOUSE_DB": str(tmp_path / "wardhouse.duckdb")}):
            return set(invoke(arguments, manifest.deepcopy()).result)

    remembering = {
        node.name
        for node in manifest.nodes.values()
        if str(node.config.get("materialized")).startswith(("incremental", "snapshot"))
    }
    parts = listed("--select", *COUNTED, *(part for area in REMEMBERING.values() for part in area))
    whole = set().union(*(listed("--selector", area) for area in REMEMBERING))
    assert len(parts & remembering) > 15
    assert (whole & remembering) - parts == {"model_runs"}


def test_telehealth_follows_its_events_and_its_log(dbt, days, tmp_path):
    followed = Followed(dbt, tmp_path, "telehealth")
    sample = PROJECT / "seeds" / "sample" / "telehealth"
    shutil.copytree(sample, followed.raw / "telehealth")
    folder = followed.raw / "telehealth" / "appointment_events"
    parts = sorted(folder.iterdir())
    held = [(path, path.read_bytes()) for path in parts[-3:]]
    for path, _ in held:
        path.unlink()
    followed.build(tmp_path / "follows")
    for path, content in held[:2]:
        path.write_bytes(content)
    followed.assert_follows()
    # The log learns later of appointments whose events came first.
    log = followed.raw / "telehealth" / "appointment_logs.csv"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:200]))
    held[2][0].write_bytes(held[2][1])
    followed.assert_follows()
    log.write_bytes(b"".join(lines))
    followed.assert_follows(whole=True)
