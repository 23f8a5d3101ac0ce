"""`wardhouse inspect` and `wardhouse quarantine`, as a user runs them."""

import csv
import json

import duckdb
import pytest
from builds import SAMPLE, shared_data
from typer.testing import CliRunner
from wardhouse.cli import app

DOCTORS = "doctor_id,doctor_name,specialty\nD1,Ann,Surgery\nD2,Bob,\n"
TREATMENTS = (
    "treatment_id,patient_id,doctor_id,treatment_type,treatment_cost,room_cost,treatment_date\n"
    "T1,P1,D1,Scan,$1,2,2025-01-01\n"
)
FEEDBACK = '[{"patient_id": "P1", "patient_feedback_score": 3}]'


def wardhouse(*arguments) -> tuple[int, str]:
    """Run the command on a wide screen; anything but an exit is an unhandled exception."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "300"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def _wide_screen(monkeypatch):
    from wardhouse.commands import inspect, quality

    monkeypatch.setattr(inspect.console, "_width", 300)
    monkeypatch.setattr(quality.console, "_width", 300)


@pytest.fixture
def raw_dir(tmp_path):
    raw_dir = tmp_path / "raw [bold] {{ x }}"
    (raw_dir / "hospital").mkdir(parents=True)
    (raw_dir / "hospital" / "doctors_info.csv").write_text(DOCTORS)
    (raw_dir / "hospital" / "patients_data_with_doctor.csv").write_text(TREATMENTS)
    (raw_dir / "hospital" / "patient_feedback.json").write_text(FEEDBACK)
    return raw_dir


@pytest.fixture(scope="module")
def built(dbt, tmp_path_factory):
    """Return the sample's records, judged, without what is made of them."""
    models = (
        *("build", "--exclude-resource-types", "test", "unit_test"),
        *("--select", "+quarantine", "+feed_reconciliation"),
    )
    outcome = dbt(SAMPLE, tmp_path_factory.mktemp("built"), *models)
    assert outcome.success, outcome.message
    return outcome


def test_inspect_shows_files_mapping_and_rows_of_the_sample():
    code, output = wardhouse("inspect", SAMPLE)
    assert code == 0
    for feed in ("doctors_info", "patient_feedback", "patients_data_with_doctor"):
        assert f"hospital.{feed}" in output
        assert f"hospital/{feed}." in output
    assert "D001" in output


def test_inspect_finds_nothing_wrong_with_the_files_of_the_lab(lab_raw_dir, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_ALLOW_OUTSIDE_LINKS", "1")
    shared_data("hospital_lab")
    code, output = wardhouse("inspect", lab_raw_dir, "--areas", "hospital", "--rows", 1)
    assert code == 0
    assert "T0001" in output
    assert "T0002" not in output
    assert "MISSING" not in output


def test_inspect_shows_how_columns_map_and_what_is_not_read(raw_dir):
    path = raw_dir / "hospital" / "doctors_info.csv"
    path.write_text("Physician ID;Speciality;[red]Fax;full name\nD1;[link=x];5;Ann\n")
    (raw_dir / "feeds.csv").write_text(
        "area,feed,option,value\nhospital,doctors_info,column:doctor_name,Full name\n"
    )
    code, output = wardhouse("inspect", raw_dir)
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert code == 0
    assert "doctor_id Physician ID" in lines
    assert "doctor_name full name" in lines
    assert "specialty Speciality" in lines
    assert "not declared, not read: [red]Fax" in lines
    assert "D1 Ann [link=x]" in lines
    assert "review_date absent: null" in lines


def test_inspect_without_rows_shows_the_mapping_alone(raw_dir):
    code, output = wardhouse("inspect", raw_dir, "--rows", 0)
    assert code == 0
    assert "Surgery" not in output
    assert "specialty" in output


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("doctors_info.csv", None, "no file; looked for"),
        ("doctors_info.csv", b"", "the file is empty"),
        ("doctors_info.csv", b"\n\n", "lacks doctor_id"),
        ("doctors_info.csv", b"doctor_id,specialty\n", "lacks doctor_name"),
        ("doctors_info.csv", b"\x89PNG\0\0", "NUL byte"),
        ("doctors_info.csv.gz", b"\x1f\x8bnothing", "gzip"),
        ("doctors_info.parquet", b"PAR1 and no more", "not readable as Parquet"),
        ("doctors_info.xlsx", b"PK", "is a spreadsheet"),
        ("doctors_info.json", b'[{"doctor_id": ', "cut short"),
        ("doctors_info.ndjson", b"{\n", "lacks doctor_id"),
    ],
)
def test_inspect_names_what_is_wrong_with_a_feed_and_shows_the_others(
    raw_dir, name, content, words
):
    (raw_dir / "hospital" / "doctors_info.csv").unlink()
    if content is not None:
        (raw_dir / "hospital" / name).write_bytes(content)
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert words in output
    assert "2025-01-01" in output


def test_inspect_marks_a_missing_column_in_the_mapping(raw_dir):
    (raw_dir / "hospital" / "doctors_info.csv").write_text("doctor_id,specialty\nD1,x\n")
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert ["doctor_name", "MISSING"] in [line.split() for line in output.splitlines()]


def test_inspect_tells_which_document_would_go_to_quarantine(raw_dir):
    (raw_dir / "hospital" / "patient_feedback").mkdir()
    place = raw_dir / "hospital" / "patient_feedback.json"
    place.rename(raw_dir / "hospital" / "patient_feedback" / "good.json")
    (raw_dir / "hospital" / "patient_feedback" / "bad.json").write_text('{"patient_id"}')
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    assert "patient_feedback/bad.json  object, 14 bytes, for quarantine: not valid JSON" in output


@pytest.mark.parametrize(
    ("areas", "options", "words"),
    [
        ("ward", None, "WARDHOUSE_AREAS names ward"),
        ("", "area,feed,option,value\nhospital,doctors_info,delimiter,::\n", "feeds.csv line 2"),
        ("", "area;feed\n1;2\n", "feeds.csv has no header line"),
    ],
)
def test_inspect_fails_on_settings_that_mean_nothing(raw_dir, areas, options, words):
    if options:
        (raw_dir / "feeds.csv").write_text(options)
    code, output = wardhouse("inspect", raw_dir, "--areas", areas)
    assert code == 1
    assert words in output


def test_inspect_says_which_feeds_are_optional_and_not_there(raw_dir, tmp_path, monkeypatch):
    project = tmp_path / "project"
    sources = project / "models" / "staging" / "hospital" / "_hospital__sources.yml"
    sources.parent.mkdir(parents=True)
    sources.write_text(
        "sources:\n  - name: hospital\n    schema: raw_hospital\n    tables:\n"
        "      - {name: visitors, columns: [{name: a}], config: {meta: {optional: true}}}\n"
    )
    monkeypatch.setattr("wardhouse.project.project_directory", lambda: project)
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    assert "hospital.visitors" in output
    assert "not there, optional" in output
    (raw_dir / "hospital" / "visitors.csv").write_text("a\nMrs Hobbs\n")
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    assert "Mrs Hobbs" in output
    assert "not there, optional" not in output


def test_inspect_fails_on_a_directory_that_is_missing_or_empty(tmp_path):
    assert wardhouse("inspect", tmp_path / "none")[0] == 1
    code, output = wardhouse("inspect", tmp_path)
    assert code == 1
    assert "has no folder named after an area" in output


def test_quarantine_lists_and_exports_what_the_sample_refused(built, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(built.database))
    [(n_records,)] = built.query("select count(*) from quality.quarantine")
    code, output = wardhouse("quarantine", "--limit", 3)
    assert code == 0
    assert "missing_patient_id" in output
    code, output = wardhouse("quarantine", "--out", tmp_path / "a folder" / "refused.csv")
    assert code == 0
    with (tmp_path / "a folder" / "refused.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == n_records > 0
    assert all(json.loads(row["record"]) for row in written)


def test_quarantine_can_be_narrowed_to_a_feed(built, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(built.database))
    out = tmp_path / "refused.csv"
    code, _ = wardhouse(
        "quarantine", "--area", "hospital", "--feed", "patient_feedback", "--out", out
    )
    assert code == 0
    with out.open(newline="") as file:
        feeds = [row["feed"] for row in csv.DictReader(file)]
    [(n_records,)] = built.query(
        "select count(*) from quality.quarantine "
        "where area = 'hospital' and feed = 'patient_feedback'"
    )
    assert feeds == ["patient_feedback"] * n_records
    assert wardhouse("quarantine", "--feed", "'; drop table x; --")[0] == 0


def test_quarantine_of_nothing_built_is_one_line_and_a_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(tmp_path / "none.duckdb"))
    code, output = wardhouse("quarantine")
    assert code == 1
    assert "run `dbt build` first" in output
    with duckdb.connect(str(tmp_path / "none.duckdb")):
        pass
    code, output = wardhouse("quarantine")
    assert code == 1
    assert "has no quarantine yet" in output
    (tmp_path / "none.duckdb").write_text("no database" * 1000)
    code, output = wardhouse("quarantine")
    assert code == 1
    assert "cannot be read" in output


def test_quarantine_that_cannot_be_written_is_a_failure(built, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(built.database))
    (tmp_path / "file").write_text("")
    assert wardhouse("quarantine", "--out", tmp_path / "file" / "x.csv")[0] == 1
    assert wardhouse("quarantine", "--out", tmp_path)[0] == 1
