"""A feed of which most was refused or could not be read: a build stops, and nothing is replaced."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from builds import Builder, Outcome, parse
from contents import contents
from three_models import BASE, COLUMNS, write_project
from wardhouse.streaming.build import selected

pytestmark = pytest.mark.long

FEED = "clinic.visits"
GOOD, BAD, BLANK = "12.50", "80,5", "N/A"


def write(place: Path, *costs: str, n_nameless: int = 0) -> Path:
    """Write visits with these costs, the first of them without a patient."""
    path = place / "clinic" / "visits.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f'V{n},{"" if n < n_nameless else f"P{n}"},Ward,"{cost}",' for n, cost in enumerate(costs)
    ]
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    return place


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return write_project(tmp_path_factory.mktemp("shares") / "project", "key=['visit_id']")


@pytest.fixture(scope="module")
def clinic(project, tmp_path_factory) -> Builder:
    """Return what builds the project of three models."""
    return Builder(parse(tmp_path_factory.mktemp("parsed"), project), project=project)


@pytest.fixture
def build(clinic, tmp_path):
    """Return a function that builds visits of these costs, in one place."""

    def build(*costs: str, n_nameless: int = 0, accept: str | list[str] = ()) -> Outcome:
        raw = write(tmp_path / "raw", *costs, n_nameless=n_nameless)
        accepted = ("--vars", json.dumps({"accept_refused": accept})) if accept else ()
        return clinic(raw, tmp_path, "build", *accepted)

    return build


@pytest.mark.system
def test_fewer_than_twenty_records_or_values_give_no_verdict(build):
    assert build(*[BAD] * 19).success
    assert build(*[BAD] * 19, *[BLANK] * 30).success
    assert build(*[GOOD] * 19, n_nameless=19).success


def test_a_load_whose_values_cannot_be_read_stops_and_replaces_nothing(build):
    assert build(*[GOOD] * 30).success
    before = contents(build(*[GOOD] * 30).database)
    stopped = build(*[BAD] * 16, *[GOOD] * 14)
    assert not stopped.success
    assert "clinic.visits: 16 of 30 values of cost could not be read" in stopped.message
    assert "accept_refused: [clinic.visits]" in stopped.message
    assert stopped.statuses["fct_visits"] == "skipped"
    assert contents(stopped.database) == before
    assert build(*[BAD] * 15, *[GOOD] * 15).success


@pytest.mark.system
def test_blanks_are_no_values_that_could_not_be_read(build):
    assert build(*[BLANK] * 30).success
    assert build(*[""] * 30, *[GOOD] * 30).success
    stopped = build(*[BLANK] * 60, *[BAD] * 21)
    assert "21 of 21 values of cost could not be read" in stopped.message


def test_a_load_whose_records_are_refused_stops_and_says_why(build):
    stopped = build(*[GOOD] * 1_200, n_nameless=1_100)
    assert not stopped.success
    told = "clinic.visits: 1,100 of 1,200 records were refused (missing_patient_id 1,100)"
    assert told in stopped.message
    assert "shows a refused record of each reason" in stopped.message
    with duckdb.connect(str(stopped.database)) as connection:
        found = connection.execute("from duckdb_tables() where table_name = $1", [BASE]).fetchall()
    assert found == []


@pytest.mark.system
def test_an_increment_is_held_to_the_share_of_all_that_the_feed_holds(clinic, tmp_path):
    folder = tmp_path / "raw" / "clinic" / "visits"
    folder.mkdir(parents=True)

    def add(name: str, *costs: str) -> Outcome:
        path = write(tmp_path / name, *costs) / "clinic" / "visits.csv"
        (folder / f"{name}.csv").write_text(path.read_text().replace("V", name))
        return clinic(tmp_path / "raw", tmp_path)

    assert add("A", *[GOOD] * 40).success
    assert add("B", *[BAD] * 39).success
    assert "49 of 89 values of cost could not be read" in add("C", *[BAD] * 10).message
    (folder / "C.csv").unlink()
    assert clinic(tmp_path / "raw", tmp_path).success


@pytest.mark.system
def test_what_a_variable_names_is_built_all_the_same(build):
    outcome = build(*[BAD] * 30, accept=[FEED])
    assert outcome.query(f"select distinct repairs from staging.{BASE}") == [
        (["cost:unread_as_zero"],)
    ]
    assert build(*[BAD] * 30, accept="all").success
    assert not build(*[BAD] * 30).success
    mistyped = build(*[BAD] * 30, accept=["clinic.visit"])
    assert "'clinic.visit', which is no feed" in mistyped.message


@pytest.mark.system
def test_a_row_of_the_seed_for_one_column_holds_before_the_one_for_all(project, tmp_path):
    place = tmp_path / "project"
    shutil.copytree(project, place, symlinks=True)
    thresholds = place / "seeds" / "reference" / "intake_thresholds.csv"
    rows = thresholds.read_text() + "clinic,visits,unreadable_values,cost,20,0.05,0.9\n"
    thresholds.unlink()
    thresholds.write_text(rows)
    patient = Builder(parse(tmp_path / "parsed", place), project=place)
    raw = write(tmp_path / "raw", *[BAD] * 24, *[GOOD] * 6)
    assert patient(raw, tmp_path / "built").success
    write(raw, *[BAD] * 28, *[GOOD] * 2)
    assert not patient(raw, tmp_path / "built").success


# The hospital's own feed

UNTESTED = ("--exclude-resource-types", "test", "unit_test")
BASE_ALONE = ("build", "--select", "base_hospital__patients_data_with_doctor")


def treatments(place: Path, *costs: str, delimiter: str = ";") -> Path:
    """Write treatments as a spreadsheet of this delimiter exports them, and the other feeds."""
    lines = [f"T{n}|P{n}|D1|MRT|{cost}|10|2025-04-01" for n, cost in enumerate(costs)]
    header = "treatment_id|patient_id|doctor_id|treatment_type|treatment_cost|room_cost"
    files = {
        "patients_data_with_doctor": "\n".join([f"{header}|treatment_date", *lines]),
        "doctors_info": "doctor_id|doctor_name|specialty\nD1|Ada|Radiology",
        "patient_feedback": "patient_id|patient_feedback_score\nP1|4",
    }
    folder = place / "hospital"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text.replace("|", delimiter) + "\n")
    return place


def test_the_stop_names_the_line_for_feeds_csv(dbt, tmp_path):
    raw = treatments(tmp_path / "raw", *["80,5"] * 40)
    stopped = dbt(raw, tmp_path, *BASE_ALONE, *UNTESTED)
    assert not stopped.success
    line = 'hospital,patients_data_with_doctor,decimal_mark,","'
    assert line in stopped.message
    assert f"`wardhouse inspect {raw}` shows" in stopped.message
    (raw / "feeds.csv").write_text(f"area,feed,option,value\n{line}\n")
    assert dbt(raw, tmp_path, *BASE_ALONE, *UNTESTED).success


@pytest.fixture(scope="module")
def streamed(dbt, tmp_path_factory) -> Outcome:
    """Return the hospital as a stream builds it, of whose amounts 24 of 40 cannot be read."""
    place = tmp_path_factory.mktemp("streamed")
    raw = treatments(place / "raw", *["80,5"] * 24, *["10.50"] * 16)
    _, _, *variables = selected("hospital")
    outcome = dbt(raw, place, "build", "--select", "+alerts", *UNTESTED, *variables)
    assert outcome.success, outcome.message
    return outcome


@pytest.mark.system
def test_a_stream_goes_on_and_raises_an_alert(streamed):
    assert streamed.query(
        "select severity, message from quality.alerts where alert_type = 'unreadable_values'"
    ) == [
        (
            "HIGH",
            "values of treatment_cost not readable in hospital.patients_data_with_doctor: "
            "60 % (above 50 %)",
        )
    ]


@pytest.mark.system
def test_a_build_warns_of_more_than_a_twentieth(dbt, streamed, tmp_path):
    raw = treatments(tmp_path / "raw", *["80,5"] * 3, *["10.50"] * 37)
    shutil.copy(streamed.database, tmp_path / "wardhouse.duckdb")
    with duckdb.connect(str(tmp_path / "wardhouse.duckdb")) as connection:
        connection.execute("delete from landing.warehouse_state")
    build = *BASE_ALONE, "intake_shares", *UNTESTED
    assert dbt(raw, tmp_path, *build).success
    as_errors = ("--warn-error-options", '{"error": ["JinjaLogWarning"]}')
    warned = dbt(raw, tmp_path, *build, *as_errors)
    told = "3 of 40 values of treatment_cost could not be read: `wardhouse inspect"
    assert told in warned.message
    treatments(raw, *["80,5"] * 2, *["10.50"] * 38)
    assert dbt(raw, tmp_path, *build, *as_errors).success
