"""Patient flow built again: after any change of its files what a clean build gives."""

import json
import shutil
from datetime import datetime, timedelta

import pytest
from builds import keeping
from chains import Chain
from contents import contents
from playing import run

pytestmark = [pytest.mark.system, pytest.mark.long]

# Who is there now depends on the clock, so it stands still.
CLOCK = ("--vars", "{as_of: '2025-09-04 00:00:00'}")
BUILD = ("build", "--exclude-resource-types", "test", "unit_test", *CLOCK)
WHOLE = (*BUILD, "--selector", "patient_flow")


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Return the files of a dirty simulated stream, one for each of twelve days."""
    place = tmp_path_factory.mktemp("simulated")
    arguments = ["--out", str(place), "--duration", "12d", "--rate", "0.003", "--dirt", "3"]
    result = run("simulate", "patient-flow", *arguments)
    assert result.exit_code == 0, result.output
    return sorted((place / "patient_flow" / "patient_events").iterdir())


@pytest.fixture
def flow(dbt, manifest, tmp_path):
    """Return the chain of what keeps rows from build to build, and of what counts the records."""
    parts = [f"+{name}" for name in keeping(manifest, "patient_flow")]
    assert len(parts) > 4
    arguments = (*BUILD, "--select", *parts, "+quarantine", "+feed_reconciliation")
    raw = tmp_path / "raw"
    (raw / "patient_flow" / "patient_events").mkdir(parents=True)
    return Chain(dbt, raw, tmp_path, *arguments, at_least=20, areas="patient_flow")


def test_a_chain_of_changes_gives_what_a_clean_build_gives(flow, days):
    folder = flow.raw / "patient_flow" / "patient_events"
    for path in days[:11]:
        shutil.copy(path, folder)
    stays = "select sum(n_events), count(*) from core.fct_patient_stays"
    [before] = flow.build().query(stays)
    shutil.copy(days[11], folder)
    [after] = flow.build_as_clean().query(stays)
    assert after[0] - before[0] > after[1] - before[1] > 50  # stays begun before were updated
    # A late event of the first day, a corrected one, and a file that is gone.
    late = json.loads(days[0].read_text(errors="replace").splitlines()[0])
    moment = datetime.fromisoformat(late["admission_time"])
    late |= {"event_id": "late", "discharge_time": (moment + timedelta(hours=50)).isoformat()}
    (folder / "late.ndjson").write_text(json.dumps(late) + "\n")
    (folder / days[1].name).write_bytes(
        days[1].read_bytes().replace(b'"Emergency"', b'"Intensive Care"', 40)
    )
    flow.build_as_clean()
    (folder / days[0].name).unlink()
    outcome = flow.build_as_clean(*WHOLE)
    found = contents(outcome.database)
    assert contents(flow.build(*WHOLE).database) == found


def test_a_consumer_that_missed_builds_makes_up_for_it(flow, days):
    folder = flow.raw / "patient_flow" / "patient_events"
    shutil.copy(days[0], folder)
    flow.build()
    for path, arguments in [
        (days[1], ("run", "--select", "base_patient_flow__patient_events")),
        (days[2], ("run", "--full-refresh", "--select", "+fct_patient_stays")),
        (days[3], ("run", "--select", "+fct_patient_stays")),
    ]:
        shutil.copy(path, folder)
        flow.build(*arguments)
    flow.build_as_clean()
