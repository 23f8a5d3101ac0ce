"""Small inputs that stand for files which people have, each with the figures that are right."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from builds import PROJECT, SAMPLE

CASES = PROJECT.parent / "shared" / "cases"
STAGING = "models/staging/hospital"
BASES = ("build", "--exclude-resource-types", "test", "unit_test", "seed", "--select")
TREATMENTS = (
    "treatment_id,patient_id,doctor_id,treatment_type,treatment_cost,room_cost,treatment_date\n"
)
DATES = "hospital,patients_data_with_doctor,date_order,mdy"
MARK = 'hospital,patients_data_with_doctor,decimal_mark,","'


def case(name: str) -> Path:
    """Return the raw directory of a case, or skip the test with the reason."""
    if not (CASES / name).is_dir():
        pytest.skip(f"cases not here: {(CASES / name).relative_to(PROJECT.parent)}")
    return CASES / name


@pytest.fixture
def build(dbt, tmp_path):
    """Return a function that builds the hospital's base models on a case, with some options."""

    def build(name: str, *lines: str, models: tuple[str, ...] = (STAGING,), accept: str = ""):
        raw_dir = case(name)
        if lines:
            raw_dir = Path(shutil.copytree(raw_dir, tmp_path / "raw"))
            text = "\n".join(("area,feed,option,value", *lines, ""))
            (raw_dir / "feeds.csv").write_text(text)
        variables = ("--vars", f"{{accept_refused: [{accept}]}}")
        return dbt(raw_dir, tmp_path / "place", *BASES, *models, *variables, areas="hospital")

    return build


def accepted(outcome, feed: str, columns: str) -> list[tuple]:
    """Ask for what was accepted of a feed."""
    assert outcome.success, outcome.message
    return outcome.query(
        f"select {columns} from staging.base_hospital__{feed} where rejection_reason is null"
    )


def refused(outcome, feed: str) -> dict[str, int]:
    """Count the records of a feed that were refused, by their reason."""
    assert outcome.success, outcome.message
    return dict(
        outcome.query(
            f"select rejection_reason, count(*) from staging.base_hospital__{feed} "
            "where rejection_reason is not null group by all"
        )
    )


def test_dates_of_another_order_stop_the_build_with_the_line_that_mends_it(build):
    outcome = build("us_dates_and_odd_values")
    assert not outcome.success
    assert DATES in [line.strip() for line in outcome.message.splitlines()]
    assert "'12/25/2025'" in outcome.message
    assert MARK not in outcome.message
    treatments = "base_hospital__patients_data_with_doctor"
    assert outcome.statuses[treatments] == "error"
    assert outcome.statuses["stg_hospital__treatments"] == "skipped"


def test_dates_in_their_order_and_odd_values_are_read_or_flagged(build):
    outcome = build("us_dates_and_odd_values", DATES)
    days = dict(
        outcome.query(
            "select treatment_id, treatment_date::varchar "
            "from staging.base_hospital__patients_data_with_doctor"
        )
    )
    assert (days["T01"], days["T02"], days["T05"]) == ("2025-03-04", "2025-12-25", "2025-03-04")
    patients = dict(accepted(outcome, "patients_data_with_doctor", "treatment_id, patient_id"))
    assert patients["T17"] == patients["T18"] == "29872499824296"
    assert patients["T19"] != patients["T20"]
    doctors = accepted(outcome, "patients_data_with_doctor", "distinct doctor_id")
    assert sorted(doctors) == [("D1",), ("D1.0",)]
    assert refused(outcome, "patients_data_with_doctor") == {
        "unreadable_patient_id": 2,
        "negative_treatment_cost": 2,
    }
    assert refused(outcome, "patient_feedback") == {
        "unreadable_patient_feedback_score": 4,
        "patient_feedback_score_outside_1_to_5": 1,
    }


def test_identifier_with_a_decimal_is_the_one_without_and_scores_have_their_scale(build):
    scale = "hospital,patient_feedback,scale,1..10"
    outcome = build("ids_with_decimals_and_ten_point_scores", scale)
    doctors = dict(accepted(outcome, "patients_data_with_doctor", "treatment_id, doctor_id"))
    assert doctors["T3"] == "1"
    scores = accepted(outcome, "patient_feedback", "patient_id, feedback_score::double")
    assert [score for patient, score in scores if patient == "P3"] == [9, 4]


@pytest.mark.system
def test_mean_of_ten_point_scores_is_on_their_scale(build):
    scale = "hospital,patient_feedback,scale,1..10"
    outcome = build(
        "ids_with_decimals_and_ten_point_scores", scale, models=("+patient_feedback_totals",)
    )
    mean = "select avg_feedback_score from core.patient_feedback_totals where patient_id = 'P3'"
    assert outcome.query(mean) == [(Decimal("6.5"),)]


@pytest.mark.system
def test_one_score_beyond_the_scale_is_refused_and_proves_no_other(build):
    outcome = build("ids_with_decimals_and_ten_point_scores")
    assert refused(outcome, "patient_feedback") == {"patient_feedback_score_outside_1_to_5": 1}


@pytest.mark.system
def test_german_export_stops_with_its_lines_and_is_right_with_them(build, tmp_path):
    outcome = build("german_spreadsheet_export")
    assert not outcome.success
    lines = [line.strip() for line in outcome.message.splitlines()]
    lines = [line for line in lines if line.startswith("hospital,")]
    assert MARK in lines
    assert "hospital,doctors_info,encoding,latin-1" in lines
    shutil.rmtree(tmp_path / "place")
    outcome = build("german_spreadsheet_export", *dict.fromkeys(lines))
    amount = "sum(treatment_cost_amount + room_cost_amount)"
    assert accepted(outcome, "patients_data_with_doctor", amount) == [(Decimal("13305.00"),)]
    doctors = accepted(outcome, "doctors_info", "doctor_name, specialty")
    assert doctors == [("Müller", "Röntgen")]
    scores = accepted(outcome, "patient_feedback", "feedback_score::double")
    assert sorted(scores) == [(3,), (4.5,)]


def test_column_that_its_user_names_wins(build):
    outcome = build("explicit_column_mapping")
    amount = "sum(treatment_cost_amount + room_cost_amount)"
    assert accepted(outcome, "patients_data_with_doctor", amount) == [(Decimal("425.00"),)]


@pytest.mark.system
def test_words_for_nothing_are_null_in_every_column(build):
    outcome = build("null_words")
    assert accepted(outcome, "doctors_info", "doctor_name, specialty") == [(None, None)] * 2
    types = accepted(outcome, "patients_data_with_doctor", "distinct treatment_type")
    assert set(types) == {("Scan",), (None,)}


@pytest.mark.system
def test_words_for_nothing_and_repeated_headers_are_no_patients(build):
    outcome = build("null_words_dates_and_repeated_header")
    assert "18 of 28 records were refused (missing_patient_id 10" in outcome.message
    accepted_feed = "hospital.patients_data_with_doctor"
    outcome = build("null_words_dates_and_repeated_header", accept=accepted_feed)
    reasons = refused(outcome, "patients_data_with_doctor")
    assert reasons["repeated_header"] == 2
    assert reasons["missing_patient_id"] == 10
    assert reasons["missing_doctor_id"] == 1
    assert reasons["unreadable_patient_id"] == 2
    assert refused(outcome, "doctors_info") == {"repeated_header": 1}
    assert (None,) in accepted(outcome, "doctors_info", "specialty")
    read = "patient_id, treatment_date::varchar"
    found = {
        key: rest
        for key, *rest in accepted(outcome, "patients_data_with_doctor", f"treatment_id, {read}")
    }
    assert [found[key][1] for key in ("T2", "T3")] == ["2025-01-31"] * 2
    assert [found[key][0] for key in ("T16", "T17", "T18")] == ["1001", "MRN-1002", "00123"]
    assert reasons["negative_treatment_cost"] == 3


@pytest.mark.system
def test_identifiers_that_a_table_kept_as_doubles_are_whole(build):
    outcome = build("float_ids_parquet")
    patients = set(accepted(outcome, "patients_data_with_doctor", "patient_id"))
    answers = accepted(outcome, "patient_feedback", "patient_id, feedback_score::double")
    found = [score for patient, score in answers if (patient,) in patients]
    assert (len(patients), len(found), set(found)) == (18, 18, {4})


@pytest.mark.system
def test_delimiter_at_the_end_of_the_header_loses_nothing(build):
    outcome = build("trailing_delimiter_in_header")
    assert len(accepted(outcome, "patients_data_with_doctor", "treatment_id")) == 20


@pytest.mark.system
def test_name_beside_an_identifier_does_not_fill_it(build):
    outcome = build("name_beside_id")
    assert refused(outcome, "patients_data_with_doctor") == {"missing_patient_id": 4}


@pytest.fixture
def hospital(dbt, tmp_path):
    """Return a function that builds the base models of a hospital with some files of its own."""

    def hospital(*models: str, **files: str):
        raw_dir = tmp_path / "raw"
        (raw_dir / "hospital").mkdir(parents=True)
        texts = {
            "doctors_info": "doctor_id,doctor_name,specialty\nD1,Ann,ENT\n",
            "patients_data_with_doctor": TREATMENTS + "T1,P1,D1,Scan,1,2,2025-01-02\n",
            "patient_feedback": "patient_id,patient_feedback_score\nP1,4\n",
            **files,
        }
        for name, text in texts.items():
            folder = raw_dir if name == "feeds" else raw_dir / "hospital"
            (folder / f"{name}.csv").write_text(text)
        selected = ("models/staging/hospital", *models)
        return dbt(raw_dir, tmp_path / "place", *BASES, *selected, areas="hospital")

    return hospital


def answers(n_beyond: int, n: int, score: str = "9") -> str:
    """Write answers, some of which lie beyond five points."""
    scores = [score] * n_beyond + ["4"] * (n - n_beyond)
    lines = [f"P{place},{each}" for place, each in enumerate(scores)]
    return "\n".join(["patient_id,patient_feedback_score", *lines, ""])


@pytest.mark.system
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (answers(2, 20), "hospital,patient_feedback,scale,1..10"),
        (answers(2, 20, "0"), "hospital,patient_feedback,scale,0..5"),
        (answers(2, 20, "85"), "hospital,patient_feedback,scale,1..100"),
        (answers(1, 20), None),
        (answers(19, 19), None),
    ],
)
def test_many_answers_beyond_the_scale_stop_the_build(hospital, text, line):
    outcome = hospital(patient_feedback=text)
    assert outcome.success is (line is None)
    if line:
        assert line in [each.strip() for each in outcome.message.splitlines()]
        assert outcome.statuses["stg_hospital__patient_feedback"] == "skipped"


@pytest.mark.system
def test_a_scale_that_is_named_has_answers_beyond_it_refused(hospital):
    feeds = "area,feed,option,value\nhospital,patient_feedback,scale,1..5\n"
    outcome = hospital(patient_feedback=answers(9, 20), feeds=feeds)
    assert refused(outcome, "patient_feedback") == {"patient_feedback_score_outside_1_to_5": 9}


@pytest.mark.system
def test_values_that_contradict_each_other_prove_nothing_and_are_flagged(hospital):
    lines = [
        "T1,P1,D1,Scan,1,2,25/12/2025",
        "T2,P1,D1,Scan,80.5,2,12/25/2025",
        'T3,P1,D1,Scan,"80,5",2,2025-01-01',
    ]
    outcome = hospital(patients_data_with_doctor=TREATMENTS + "\n".join([*lines, ""]))
    repairs = dict(accepted(outcome, "patients_data_with_doctor", "treatment_id, repairs"))
    assert repairs == {
        "T1": [],
        "T2": ["treatment_date:set_null", "treatment_date:other_date_order"],
        "T3": ["treatment_cost:unread_as_zero", "treatment_cost:other_decimal_mark"],
    }


@pytest.mark.system
def test_a_setting_that_is_named_has_other_values_flagged(hospital):
    outcome = hospital(
        patients_data_with_doctor=f"{TREATMENTS}T1,P1,D1,Scan,1,2,12/25/2025\n",
        feeds="area,feed,option,value\nhospital,patients_data_with_doctor,date_order,dmy\n",
    )
    repairs = accepted(outcome, "patients_data_with_doctor", "repairs")
    assert repairs == [(["treatment_date:set_null"],)]


def test_a_file_without_room_costs_is_read_and_they_count_as_unknown(hospital):
    text = TREATMENTS.replace(",room_cost", "") + "T1,P1,D1,Scan,1,2025-01-02\n"
    outcome = hospital("fct_treatments", "patient_provider_totals", patients_data_with_doctor=text)
    assert outcome.success, outcome.message
    query = "select revenue_amount, is_room_cost_unknown from core.fct_treatments"
    assert outcome.query(query) == [(Decimal("1.00"), True)]
    query = "select revenue_amount, n_room_costs_unknown from core.patient_provider_totals"
    assert outcome.query(query) == [(Decimal("1.00"), 1)]


@pytest.mark.system
def test_a_policy_that_refuses_blank_costs_refuses_no_file_without_the_column(dbt, tmp_path):
    folder = tmp_path / "raw" / "hospital" / "patients_data_with_doctor"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(TREATMENTS.replace(",room_cost", "") + "T1,P1,D1,Scan,1,\n")
    (folder / "b.csv").write_text(f"{TREATMENTS}T2,P1,D1,Scan,1,,\nT3,P1,D1,Scan,1,2,\n")
    (folder.parent / "doctors_info.csv").write_text("doctor_id,doctor_name,specialty\nD1,Ann,x\n")
    policy = ("--vars", "{missing_cost_policy: reject}")
    outcome = dbt(tmp_path / "raw", tmp_path, *BASES, STAGING, "fct_treatments", *policy,
                  areas="hospital")  # fmt: skip
    assert refused(outcome, "patients_data_with_doctor") == {"missing_room_cost": 1}
    assert outcome.query(
        "select treatment_id, is_room_cost_unknown from core.fct_treatments order by all"
    ) == [("T1", True), ("T3", False)]


def test_what_a_file_lacks_is_supplied(hospital):
    text = TREATMENTS.replace(",room_cost", "") + "T1,P1,D1,Scan,1,2025-01-02\n"
    outcome = hospital(
        patients_data_with_doctor=text,
        feeds="area,feed,option,value\nhospital,patients_data_with_doctor,value:room_cost,7.5\n",
    )
    rooms = accepted(outcome, "patients_data_with_doctor", "room_cost_amount, repairs")
    assert rooms == [(Decimal("7.50"), [])]


@pytest.mark.system
def test_list_of_appointments_without_waits_answers_and_devices_has_them_unknown(
    dbt, tmp_path, capfd
):
    """As a booking system exports it. The empty ranking of another area is not printed."""
    statuses = ["Completed", "Completed", "No-show", "Cancelled"]
    appointments = [f"A{n},P{n},D1,2025-01-0{n + 1},Online,{s}" for n, s in enumerate(statuses)]
    for name, lines in {
        "feeds.csv": [
            "area,feed,option,value",
            "telehealth,appointment_logs,value:scheduled_time,09:00",
            "telehealth,appointment_logs,value:wait_time_minutes,",
            "telehealth,appointment_logs,value:duration_minutes,",
            "telehealth,appointment_logs,value:timestamp,2025-02-01 00:00",
        ],
        "telehealth/appointment_logs.csv": [
            "appointmentId,patientId,doctorId,appointmentDate,appointmentType,status",
            *appointments,
        ],
        "telehealth/providers.csv": ["doctorId,firstName,lastName,specialty", "D1,A,B,Surgery"],
        "telehealth/patients.csv": ["patientId,age,gender,registrationDate", "P0,40,F,2024-01-01"],
    }.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, ""]))
    without = ("--exclude-resource-types", "unit_test", "seed")
    outcome = dbt(tmp_path / "raw", tmp_path / "place", "build", *without, areas="telehealth")
    assert outcome.success, outcome.message
    assert "rank  doctor" not in capfd.readouterr().out
    assert outcome.query(
        "select appointment_status, n_appointments, n_wait_unknown, avg_wait_minutes "
        "from telehealth.appointment_status_summary where n_appointments > 0 order by 1"
    ) == [("Cancelled", 1, 1, None), ("Completed", 2, 2, None), ("No-show", 1, 1, None)]
    assert (
        outcome.query(
            "select wait_minutes, duration_minutes, device_type, has_technical_issues, repairs "
            "from core.fct_appointments where is_completed"
        )
        == [(None, None, "Unknown", None, [])] * 2
    )
    assert outcome.query("select count(*) from quality.quarantine") == [(0,)]


@pytest.mark.system
def test_words_of_a_raw_directory_statuses_of_hl7_and_zones_are_read(dbt, tmp_path):
    raw_dir = tmp_path / "raw"
    for name, lines in {
        "spellings.csv": [
            "list,spelling,meaning",
            "appointment_statuses,wahrgenommen,Completed",
            "departments,Notaufnahme,Emergency",
            "departments,W7,Ward Seven",
        ],
        "feeds.csv": [
            "area,feed,option,value",
            "patient_flow,patient_events,time_zone,Europe/Berlin",
            "patient_flow,patient_events,value:hospital_id,H1",
        ],
        "patient_flow/patient_events.csv": [
            "patient_id,department,admission_time,discharge_time",
            "P1,NOTAUFNAHME,2025-03-30 01:00:00,2025-03-30 04:00:00",
            "P2,w7,20250305073000,20250306T073000",
            "P3,W8,2025-03-05,2025-03-08",
            "P4,W8,2025-03-05 25:00,",
        ],
        "telehealth/appointment_logs.csv": [
            "appointment_id,provider_id,patient_id,appointment_date,scheduled_time,appointment_type,"
            "status,wait_time_minutes,duration_minutes,device_type,connection_quality,"
            "had_technical_issues,timestamp",
            "A1,D1,P1,2025-01-02,10:00,House Call,wahrgenommen,1,2,pc,good,no,2025-01-02 11:00:00",
            "A2,D1,P1,2025-01-02,10:00,Follow-up,booked,,,ipad,good,no,2025-01-02 11:00:00",
            "A3,D1,P1,2025-01-02,10:00,Follow-up,In limbo,,,ipad,good,no,2025-01-02 11:00:00",
        ],
    }.items():
        path = raw_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, ""]))
    feeds = ("base_patient_flow__patient_events", "base_telehealth__appointment_logs")
    for name in ("patients", "providers", "patient_feedback"):
        (raw_dir / "telehealth" / f"{name}.csv").write_bytes(
            (SAMPLE / "telehealth" / f"{name}.csv").read_bytes()
        )
    outcome = dbt(raw_dir, tmp_path / "place", *BASES, *feeds)
    assert outcome.success, outcome.message
    stays = outcome.query(
        "select patient_id, hospital_id, department, admitted_at::varchar, "
        "date_diff('minute', admitted_at, discharged_at), repairs, rejection_reason "
        "from staging.base_patient_flow__patient_events order by patient_id"
    )
    unknown_times = ["admission_time:time_unknown", "discharge_time:time_unknown"]
    assert stays == [
        ("P1", "H1", "Emergency", "2025-03-30 00:00:00", 120, [], None),
        ("P2", "H1", "Ward Seven", "2025-03-05 06:30:00", 1440, [], None),
        ("P3", "H1", "W8", "2025-03-04 23:00:00", 4320, unknown_times, None),
        ("P4", "H1", "W8", None, None, [], "unreadable_admission_time"),
    ]
    appointments = outcome.query(
        "select appointment_type, appointment_status, is_completed, rejection_reason "
        "from staging.base_telehealth__appointment_logs order by appointment_id"
    )
    assert appointments == [
        ("House Call", "Completed", True, None),
        ("Follow-up", "Scheduled", None, None),
        ("Follow-up", None, None, "unknown_status: In limbo"),
    ]
