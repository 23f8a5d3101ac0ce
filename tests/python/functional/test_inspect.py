"""`wardhouse inspect` and `wardhouse quarantine`, as a user runs them."""

import csv
import json
import shutil

import duckdb
import pytest
from builds import PROJECT, SAMPLE, in_system, shared_data
from jinja2 import Environment
from rich.console import Console
from typer.testing import CliRunner
from wardhouse.cli import app
from wardhouse.landing.feeds import declared_feeds
from wardhouse.landing.inspection.base_models import BaseModels
from wardhouse.landing.inspection.values import read_values
from wardhouse.landing.plan import plan_feed

DOCTORS = "doctor_id,doctor_name,specialty\nD1,Ann,Surgery\nD2,Bob,\n"
TREATMENTS = (
    "treatment_id,patient_id,doctor_id,treatment_type,treatment_cost,room_cost,treatment_date\n"
    "T1,P1,D1,Scan,$1,2,2025-01-01\n"
)
FEEDBACK = '[{"patient_id": "P1", "patient_feedback_score": 3}]'


def wardhouse(*arguments) -> tuple[int, str]:
    """Run the command into a pipe; anything but an exit is an unhandled exception."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, result.output


@pytest.fixture
def raw_dir(tmp_path):
    raw_dir = tmp_path / "raw [bold] {{ x }}"
    (raw_dir / "hospital").mkdir(parents=True)
    (raw_dir / "hospital" / "doctors_info.csv").write_text(DOCTORS)
    (raw_dir / "hospital" / "patients_data_with_doctor.csv").write_text(TREATMENTS)
    (raw_dir / "hospital" / "patient_feedback.json").write_text(FEEDBACK)
    return raw_dir


@pytest.mark.parametrize("areas", ["hospital", in_system("")])
def test_inspect_shows_files_mapping_and_rows_of_the_sample(areas):
    code, output = wardhouse("inspect", SAMPLE, "--areas", areas)
    assert code == 0
    for feed in declared_feeds(PROJECT):
        if feed.area == areas or not areas:
            assert feed.label in output
            assert f"{feed.area}/{feed.name}" in output
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
    assert "doctor_id Physician ID id all 1 D1" in lines
    assert "doctor_name full name text all 1 Ann" in lines
    assert "specialty Speciality text all 1 [link=x]" in lines
    assert "not declared, not read: [red]Fax" in lines
    assert "review_date absent" in lines


def test_inspect_says_which_columns_are_kept(tmp_path):
    (tmp_path / "engagement").mkdir()
    path = tmp_path / "engagement" / "healthcare_data.csv"
    path.write_text("CUSTOMER_ID,Doc_visits,[red]Fax\nC1,6,5\n")
    code, output = wardhouse("inspect", tmp_path)
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert code == 0
    assert "person_id CUSTOMER_ID id all 1 C1" in lines
    assert "not declared, kept as undeclared_values: Doc_visits, [red]Fax" in lines


def test_inspect_without_rows_shows_the_mapping_alone(raw_dir):
    code, output = wardhouse("inspect", raw_dir, "--rows", 0)
    assert code == 0
    assert "Surgery" not in output
    assert "specialty" in output


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("doctors_info.csv", None, "no file; looked for"),
        in_system("doctors_info.csv", b"", "the file is empty"),
        in_system("doctors_info.csv", b"\n\n", "lacks doctor_id"),
        ("doctors_info.csv", b"doctor_id,specialty\n", "lacks doctor_name"),
        in_system("doctors_info.csv", b"\x89PNG\0\0", "NUL byte"),
        in_system("doctors_info.csv.gz", b"\x1f\x8bnothing", "gzip"),
        in_system("doctors_info.parquet", b"PAR1 and no more", "not readable as Parquet"),
        ("doctors_info.xlsx", b"PK", "is a spreadsheet"),
        ("doctors_info.json", b'[{"doctor_id": ', "cut short"),
        in_system("doctors_info.ndjson", b"{\n", "lacks doctor_id"),
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
    assert "patient_feedback/  2 files, object, array" in output
    assert "patient_feedback/bad.json  for quarantine: not valid JSON" in output


@pytest.mark.parametrize(
    ("areas", "options", "words"),
    [
        ("ward", None, "WARDHOUSE_AREAS names ward"),
        ("", "area,feed,option,value\nhospital,doctors_info,delimiter,::\n", "feeds.csv line 2"),
        in_system("", "area;feed\n1;2\n", "feeds.csv has no header line"),
    ],
)
def test_inspect_fails_on_settings_that_mean_nothing(raw_dir, areas, options, words):
    if options:
        (raw_dir / "feeds.csv").write_text(options)
    code, output = wardhouse("inspect", raw_dir, "--areas", areas)
    assert code == 1
    assert words in output


def fields(output: str, column: str) -> list[str]:
    """Return what the report says of the first column of the name."""
    return next(line.split() for line in output.splitlines() if line.split()[:1] == [column])


def lines_for_feeds_csv(output: str) -> str:
    """Return what the report would have in feeds.csv; nothing where it has no line to give."""
    _, _, lines = output.partition("feeds.csv:\n")
    return lines


@pytest.mark.system
def test_inspect_reads_every_record_as_the_build_does(sample):
    base_models, compared = BaseModels(PROJECT), 0
    for feed in declared_feeds(PROJECT):
        plan = plan_feed(SAMPLE, feed, {})
        if not plan.select:
            continue
        values = read_values(plan, base_models, 1)
        base = f"staging.base_{feed.area}__{feed.name}"
        # Which contents of one key conflict is found when all were read.
        own = "coalesce(rejection_reason not like 'conflicting_%', true)"
        reasons = sample.query(
            f"select rejection_reason, count(*) from {base} "
            f"where {own} and rejection_reason is not null group by 1"
        )
        repairs = sample.query(
            f"select unnest(repairs) as repair, count(*) from {base} "
            f"where not ({own}) or rejection_reason is null group by 1"
        )
        assert [(values.n_records,)] == sample.query(f"select count(*) from {base}"), feed.label
        assert values.rejections == dict(reasons), feed.label
        assert values.repairs == dict(repairs), feed.label
        compared += len(reasons) + len(repairs)
    assert compared > 20


def test_a_template_is_compiled_once_in_a_process(monkeypatch):
    feeds = [feed for feed in declared_feeds(PROJECT) if feed.area == "hospital"]

    def render_all():
        base_models = BaseModels(PROJECT)
        return [base_models.rules(feed, {"date_order": "mdy"}).model for feed in feeds]

    compiled, compile_template = [], Environment.compile

    def counting(environment, source, *arguments, **settings):
        compiled.append(source)
        return compile_template(environment, source, *arguments, **settings)

    first = render_all()
    monkeypatch.setattr(Environment, "compile", counting)
    assert render_all() == first
    assert compiled == []


def test_inspect_knows_how_the_base_model_reads_each_column():
    base_models = BaseModels(PROJECT)
    kinds = {
        feed.label: {
            name: reading.kind for name, reading in base_models.rules(feed, {}).columns.items()
        }
        for feed in declared_feeds(PROJECT)
    }
    treatments = kinds["hospital.patients_data_with_doctor"]
    assert treatments["treatment_cost"] == "amount"
    assert treatments["treatment_date"] == "date"
    assert treatments["doctor_id"] == "id"
    assert kinds["hospital.doctors_info"]["doctor_name"] == "text"
    assert kinds["telehealth.appointment_logs"]["status"] == "word"
    assert kinds["telehealth.appointment_logs"]["scheduled_time"] == "time"
    assert kinds["telehealth.patient_feedback"]["would_recommend"] == "boolean"
    assert kinds["telehealth.patients"]["age"] == "number"
    assert kinds["patient_flow.patient_events"]["admission_time"] == "timestamp"


def test_inspect_says_how_much_of_a_column_is_readable_and_what_is_not(raw_dir):
    path = raw_dir / "hospital" / "patients_data_with_doctor.csv"
    path.write_text(
        TREATMENTS + "T2,P1,D1,Scan,free,2.50,31/12/2025\nT3,,D1,Scan,(7),n/a,30/02/2025\n"
    )
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    assert "3 records: acceptable 2, missing_patient_id 1" in output
    assert fields(output, "treatment_cost") == [
        "treatment_cost",
        "=",
        "amount",
        "2",
        "of",
        "3",
        "-7..1",
    ]
    assert fields(output, "room_cost") == ["room_cost", "=", "amount", "all", "2", "2..2.5"]
    assert fields(output, "treatment_date")[-4:] == ["2", "of", "3", "2025-01-01..2025-12-31"]
    assert "treatment_cost: 1 not readable, such as 'free'" in output
    assert "treatment_date: 1 not readable, such as '30/02/2025'" in output
    assert "flagged in accepted records: treatment_cost:unread_as_zero 1" in output


@pytest.mark.parametrize(
    ("old", "new", "told", "line"),
    [
        (
            "2025-01-01",
            "12/25/2025",
            "treatment_date: date_order mdy would read 1 more, such as '12/25/2025', and all that",
            "date_order,mdy",
        ),
        in_system(
            "$1,2,",
            '1.250,"80,5",',
            "room_cost: decimal_mark , would read 1 more, such as '80,5', and all that",
            'decimal_mark,","',
        ),
        (
            "$1,2,",
            '"80,5",80.5,',
            "decimal_mark , would read 1 more, such as '80,5', but not 1 that are read now",
            "",
        ),
        in_system(
            "2025-01-01", "12/25/2025\nT2,P1,D1,Scan,1,2,25/12/2025", "but not 1 that are", ""
        ),
        in_system("2025-01-01", "99/99/2025", "1 not readable, such as '99/99/2025'", ""),
    ],
)
def test_values_prove_a_setting_where_none_speaks_against_it(raw_dir, old, new, told, line):
    path = raw_dir / "hospital" / "patients_data_with_doctor.csv"
    path.write_text(TREATMENTS.replace(old, new))
    code, output = wardhouse("inspect", raw_dir)
    assert told in output
    expected = (
        f"area,feed,option,value\nhospital,patients_data_with_doctor,{line}\n" if line else ""
    )
    assert lines_for_feeds_csv(output) == expected
    assert code == bool(line)
    (raw_dir / "feeds.csv").write_text(lines_for_feeds_csv(output) or "area,feed,option,value\n")
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    assert not lines_for_feeds_csv(output)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (DOCTORS.replace("Ann", "Zoë").encode("latin-1"), "encoding,latin-1"),
        in_system(DOCTORS.replace("specialty", "Spécialité").encode("latin-1"), "encoding,latin-1"),
        in_system(DOCTORS.encode("utf-16"), "encoding,utf-16"),
        in_system(DOCTORS.encode("utf-16-le"), "encoding,utf-16"),
        in_system(DOCTORS.replace(",", "~").encode(), "delimiter,~"),
        in_system(DOCTORS.replace("doctor_name", "Doktor").encode(), "column:doctor_name,Doktor"),
        (DOCTORS.replace("doctor_name", "doctor_nmae").encode(), "column:doctor_name,doctor_nmae"),
    ],
)
def test_the_line_that_inspect_prints_is_the_cure(raw_dir, content, line):
    (raw_dir / "hospital" / "doctors_info.csv").write_bytes(content)
    aliases = "hospital,doctors_info,column:specialty,Spécialité\n" if b"Sp\xe9c" in content else ""
    (raw_dir / "feeds.csv").write_text(f"area,feed,option,value\n{aliases}")
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    expected = f"area,feed,option,value\nhospital,doctors_info,{line}\n"
    assert lines_for_feeds_csv(output) == expected
    assert "Surgery" in output
    (raw_dir / "feeds.csv").write_text(lines_for_feeds_csv(output) + aliases)
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    assert "2 records: acceptable 2" in output


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        ("encoding,latin-1", "encoding,utf-8"),
        in_system("encoding,utf-16", "encoding,utf-8"),
        in_system('delimiter,","', "delimiter,;"),
        in_system("column:doctor_name,Names", "column:doctor_name,Name"),
    ],
)
def test_a_setting_that_the_file_contradicts_is_told_with_the_right_one(raw_dir, declared, line):
    content = DOCTORS.replace("Ann", "Zoë").replace("doctor_name", "Name").replace(",", ";")
    (raw_dir / "hospital" / "doctors_info.csv").write_text(content)
    head = "area,feed,option,value\n"
    (raw_dir / "feeds.csv").write_text(f"{head}hospital,doctors_info,{declared}\n")
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert "(it stands otherwise in feeds.csv)" in output
    assert lines_for_feeds_csv(output) == f"{head}hospital,doctors_info,{line}\n"
    assert "Zoë" in output
    (raw_dir / "feeds.csv").write_text(lines_for_feeds_csv(output))
    assert wardhouse("inspect", raw_dir)[0] == 0


def test_one_run_prints_all_lines_that_a_german_export_needs(raw_dir):
    path = raw_dir / "hospital" / "patients_data_with_doctor.csv"
    german = TREATMENTS.replace(",", ";").replace("Scan;$1;2", "Röntgen;1.250;80,5")
    path.write_bytes(german.encode("latin-1"))
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert lines_for_feeds_csv(output) == (
        "area,feed,option,value\n"
        "hospital,patients_data_with_doctor,encoding,latin-1\n"
        'hospital,patients_data_with_doctor,decimal_mark,","\n'
    )
    (raw_dir / "feeds.csv").write_text(lines_for_feeds_csv(output))
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    assert fields(output, "treatment_cost")[-1] == "1250"
    assert fields(output, "room_cost")[-1] == "80.5"


@pytest.mark.parametrize(
    ("name", "content", "cure"),
    [
        in_system(
            "doctors_info.csv",
            b"\xfe\xff" + DOCTORS.encode("utf-16-be"),
            "iconv -f UTF-16BE -t UTF-8",
        ),
        in_system("doctors_info.csv", DOCTORS.encode("utf-16-be"), "is big-endian UTF-16"),
        in_system(
            "doctors_info.json", '[{"doctor_id": "D1"}]'.encode("utf-16"), "iconv -f UTF-16LE"
        ),
        ("doctors_info.csv", DOCTORS.replace("Ann", "“A”").encode("cp1252"), "likely Windows-1252"),
        in_system(
            "doctors_info.csv", f"sep=,\n{DOCTORS}".encode(), "the line 'sep=,', which is no header"
        ),
        ("doctors_info.tsv", DOCTORS.encode(), "doctors_info.tsv: rename it to doctors_info.csv"),
        in_system(
            "Doctors_Info.TXT", DOCTORS.encode(), "Doctors_Info.TXT: rename it to doctors_info.csv"
        ),
        in_system(
            "DOCTORS_INFO.CSV", DOCTORS.encode(), "DOCTORS_INFO.CSV: rename it to doctors_info.csv"
        ),
        in_system(
            "doctor_info.csv.gz", b"", "doctor_info.csv.gz: rename it to doctors_info.csv.gz"
        ),
        ("doctors_info.csv.zip", b"PK", "doctors_info.csv.zip: not read"),
    ],
)
def test_what_no_setting_mends_is_told_with_its_cure(raw_dir, name, content, cure):
    (raw_dir / "hospital" / "doctors_info.csv").unlink()
    (raw_dir / "hospital" / name).write_bytes(content)
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert cure in output
    assert not lines_for_feeds_csv(output)


def test_text_in_two_encodings_is_told_and_not_guessed(raw_dir):
    path = raw_dir / "hospital" / "doctors_info.csv"
    path.write_bytes(f"{DOCTORS}D3,Zoë,x\n".encode() + "D4,Zoë,x\n".encode("latin-1"))
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    assert "4 records: acceptable 3, lines that are no records 1" in output
    assert "doctors_info.csv mixes encodings: lines in UTF-8 1, in another 1" in output
    assert not lines_for_feeds_csv(output)


def test_files_beside_the_expected_ones_are_named(raw_dir):
    for name in ("doctors_info.tsv", "Doctors_Info.csv", "notes.md", ".hidden"):
        (raw_dir / "hospital" / name).write_text(DOCTORS)
    (raw_dir / "Tele_Health").mkdir()
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    read_instead = "not read, hospital.doctors_info is in hospital/doctors_info.csv"
    assert f"hospital/doctors_info.tsv: {read_instead}" in output
    assert f"hospital/Doctors_Info.csv: {read_instead}" in output
    assert "Tele_Health: no area; rename it to telehealth?" in output
    assert "and 1 more files" in output
    assert ".hidden" not in output


def test_one_unknown_name_is_told_as_one(raw_dir):
    code, output = wardhouse("inspect", raw_dir, "--areas", "hospital,ward")
    assert code == 1
    assert output.count("ward;") == 1
    assert "Surgery" in output
    (raw_dir / "hospital" / "doctors_info.csv").write_text(DOCTORS.replace("specialty", "Fach"))
    (raw_dir / "feeds.csv").write_text(
        "area,feed,option,value\nhospital,doctors_info,column:specialty,Fach\n"
        "hospital,doctors_info,delimeter,;\nhospital,doctors_info,column:doctor_nmae,x\n"
        "hospital,doctor_info,delimiter,;\nhospital,patient_feedback,column:review_date,Datum\n"
    )
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert "lacks" not in output
    assert "line 3: no option 'delimeter'" in output
    assert "did you mean delimiter?" in output
    assert "no column 'doctor_nmae'; did you mean column:doctor_name?" in output
    assert "no feed 'hospital.doctor_info'; did you mean hospital.doctors_info?" in output
    assert "no file of hospital.patient_feedback has a column 'Datum'" in output


def test_column_that_feeds_csv_supplies_is_not_missing(raw_dir):
    doctors = DOCTORS.replace("specialty", "speciality_name")
    (raw_dir / "hospital" / "doctors_info.csv").write_text(doctors)
    (raw_dir / "feeds.csv").write_text(
        "area,feed,option,value\nhospital,doctors_info,value:specialty,Surgery\n"
    )
    code, output = wardhouse("inspect", raw_dir)
    assert code == 0
    assert "MISSING" not in output
    assert "specialty    'Surgery' of feeds.csv" in output
    assert "may be specialty" not in output


def test_values_are_shown_although_a_required_column_is_missing(raw_dir):
    path = raw_dir / "hospital" / "patients_data_with_doctor.csv"
    path.write_text(TREATMENTS.replace("treatment_id", "number").replace(",", ";"))
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert "lacks treatment_id" in output
    assert "columns found:    number, patient_id" in output
    assert fields(output, "treatment_cost") == ["treatment_cost", "=", "amount", "all", "1", "1"]
    assert "1 records: acceptable 0, missing_treatment_id 1" in output


def many_files(raw_dir, n_files: int, text: str) -> None:
    """Make a feed of 18 columns of many files."""
    folder = raw_dir / "telehealth" / "appointment_logs"
    folder.mkdir(parents=True)
    for number in range(n_files):
        (folder / f"{number:04}.json").write_text(text.replace("A1", f"appointment-{number:04}"))


APPOINTMENT = {
    "appointment_id": "A1",
    "provider_id": "PROV0001",
    "patient_id": "PAT000001",
    "appointment_date": "2024-05-06",
    "scheduled_time": "08:15",
    "appointment_type": "Follow-up",
    "status": "Completed",
    "wait_time_minutes": 3,
    "duration_minutes": 20,
    "device_type": "Tablet",
    "operating_system": "Windows",
    "browser": "Firefox",
    "connection_quality": "Good",
    "had_technical_issues": False,
    "technical_issue_type": None,
    "timestamp": "2024-05-06T08:40:00",
}


@pytest.mark.parametrize(
    "text", [json.dumps(APPOINTMENT), in_system('{"appointment_id": "A1"'), in_system("\0")]
)
def test_two_thousand_files_fit_on_a_screen(tmp_path, monkeypatch, text):
    many_files(tmp_path, 2000, text)
    screen = Console(force_terminal=True, color_system=None, width=80)
    monkeypatch.setattr("wardhouse.commands.inspect.console", screen)
    _, output = wardhouse("inspect", tmp_path, "--areas", "telehealth")
    lines = output.splitlines()
    assert "2,000 files" in output
    assert len(lines) <= 45
    if "duration" in text:
        assert "duration_minutes      =          number     all 2,000  20" in output
        assert all(len(line) <= 80 for line in lines if "no file; looked for" not in line)


def test_in_a_pipe_a_column_is_one_line_and_nothing_is_cut(tmp_path):
    long = "appointment " * 4
    many_files(tmp_path, 3, json.dumps(APPOINTMENT | {"browser": long}))
    _, output = wardhouse("inspect", tmp_path, "--areas", "telehealth")
    assert fields(output, "timestamp")[2:] == ["timestamp", "all", "3", "2024-05-06", "08:40"]
    assert fields(output, "browser")[5:] == long.split()
    assert "appointment-0000, appointment-0001, appointment-0002" in output
    assert all(fields(output, column)[1] == "=" for column in APPOINTMENT)
    assert "…" not in output


def test_a_value_can_neither_break_a_line_nor_command_the_terminal(raw_dir, monkeypatch):
    (raw_dir / "hospital" / "doctors_info.csv").write_text(
        'doctor_id,doctor_name,specialty,\x07\nD1,"An\nn \x1b[2J[red]",Surgery,x\n'
    )
    _, output = wardhouse("inspect", raw_dir)
    assert fields(output, "doctor_name")[5:] == ["An", "n", "\ufffd[2J[red]"]
    assert "not declared, not read: \ufffd" in output
    screen = Console(force_terminal=True, color_system=None, width=80)
    monkeypatch.setattr("wardhouse.commands.inspect.console", screen)
    _, output = wardhouse("inspect", raw_dir)
    assert "An n \ufffd[2J[red]" in output
    assert "\x1b" not in output


def test_inspect_says_what_it_cannot_render(raw_dir, tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "models" / "staging").mkdir(parents=True)
    shutil.copytree(PROJECT / "models/staging/hospital", project / "models/staging/hospital")
    (project / "models/staging/hospital/base_hospital__doctors_info.sql").write_text("{{ x( }}")
    (project / "macros").symlink_to(PROJECT / "macros")
    (project / "dbt_project.yml").symlink_to(PROJECT / "dbt_project.yml")
    monkeypatch.setattr("wardhouse.project.project_directory", lambda: project)
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert "base_hospital__doctors_info.sql cannot be rendered" in output
    assert "2025-01-01" in output


def test_inspect_says_which_feeds_are_optional_and_not_there(raw_dir, tmp_path, monkeypatch):
    project = tmp_path / "project"
    sources = project / "models" / "staging" / "hospital" / "_hospital__sources.yml"
    sources.parent.mkdir(parents=True)
    sources.write_text(
        "sources:\n  - name: hospital\n    schema: raw_hospital\n    tables:\n"
        "      - {name: visitors, columns: [{name: a}], config: {meta: {optional: true}}}\n"
    )
    (sources.parent / "base_hospital__visitors.sql").write_text(
        "select source_file, {{ parse_text('a') }} as a, []::varchar[] as repairs, "
        "null::varchar as rejection_reason, null::varchar as rejected_record "
        "from {{ landed('hospital', 'visitors') }}"
    )
    (project / "macros").symlink_to(PROJECT / "macros")
    (project / "dbt_project.yml").symlink_to(PROJECT / "dbt_project.yml")
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


def test_quarantine_lists_and_exports_what_the_sample_refused(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(sample.database))
    [(n_records,)] = sample.query("select count(*) from quality.quarantine")
    code, output = wardhouse("quarantine", "--limit", 3)
    assert code == 0
    assert "missing_patient_id" in output
    code, output = wardhouse("quarantine", "--out", tmp_path / "a folder" / "refused.csv")
    assert code == 0
    with (tmp_path / "a folder" / "refused.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == n_records > 0
    assert all(json.loads(row["record"]) for row in written)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_quarantine_shows_records_whole(sample, monkeypatch, is_terminal):
    monkeypatch.setenv("WARDHOUSE_DB", str(sample.database))
    screen = Console(force_terminal=is_terminal, color_system=None, width=80)
    monkeypatch.setattr("wardhouse.commands.quality.console", screen)
    records = sample.query(
        "select source_file, line_number, reason, record from quality.quarantine "
        "where feed = 'appointment_logs'"
    )
    assert max(len(record) for *_, record in records) > 300
    code, output = wardhouse("quarantine", "--feed", "appointment_logs", "--limit", 10_000)
    lines = output.splitlines()
    assert code == 0
    for file, line, reason, record in records:
        place = file if line is None else f"{file} line {line}"
        assert f"{place}: {reason}" in lines
        assert record.splitlines()[0] in lines


def test_quarantine_can_be_narrowed_to_a_feed(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(sample.database))
    out = tmp_path / "refused.csv"
    code, _ = wardhouse(
        "quarantine", "--area", "hospital", "--feed", "patient_feedback", "--out", out
    )
    assert code == 0
    with out.open(newline="") as file:
        feeds = [row["feed"] for row in csv.DictReader(file)]
    [(n_records,)] = sample.query(
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


def test_quarantine_that_cannot_be_written_is_a_failure(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_DB", str(sample.database))
    (tmp_path / "file").write_text("")
    assert wardhouse("quarantine", "--out", tmp_path / "file" / "x.csv")[0] == 1
    assert wardhouse("quarantine", "--out", tmp_path)[0] == 1


def test_inspect_reads_and_checks_the_words_of_the_raw_directory(tmp_path):
    raw_dir = tmp_path / "raw"
    (raw_dir / "telehealth").mkdir(parents=True)
    (raw_dir / "telehealth" / "appointment_logs.csv").write_text(
        "appointment_id,patient_id,provider_id,appointment_type,appointment_status,scheduled_time\n"
        "A1,P1,D1,Checkup,wahrgenommen,2025-01-01 10:00\n"
        "A2,P1,D1,Checkup,verpasst,2025-01-01 11:00\n"
    )
    words = raw_dir / "spellings.csv"
    words.write_text(
        "list,spelling,meaning\nappointment_statuses,wahrgenommen,Completed\n"
        "appointment_statuses,verpasst,Complted\n"
    )
    _, output = wardhouse("inspect", raw_dir)
    assert "1 not known, such as 'verpasst'" in output
    assert "'wahrgenommen'" not in output
    assert "'Complted', the meaning of verpasst, is no word of appointment_statuses" in output
    assert "did you mean completed?" in output
    words.write_text("list,spelling,meaning\nappointment_states,wahrgenommen,Completed\n")
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert "spellings.csv line 2: no list 'appointment_states'" in output
    assert "did you mean" in output
    words.write_text("liste,wort\na,b\n")
    code, output = wardhouse("inspect", raw_dir)
    assert code == 1
    assert "spellings.csv has no header line list,spelling,meaning" in output


def test_inspect_shows_a_refused_record_of_each_reason(raw_dir):
    text = TREATMENTS + "T2,,D1,Scan,1,2,2025-01-02\nT3,P1,D1,Scan,-1,2,2025-01-02\n"
    (raw_dir / "hospital" / "patients_data_with_doctor.csv").write_text(text)
    _, output = wardhouse("inspect", raw_dir, "--rows", 0)
    [nameless] = [line for line in output.splitlines() if line.startswith("missing_patient_id: ")]
    assert "hospital/patients_data_with_doctor.csv" in nameless
    assert '"treatment_id":"T2"' in nameless
    [negative] = [line for line in output.splitlines() if line.startswith("negative_treatment")]
    assert '"treatment_id":"T3"' in negative
