"""Profiles of patients and physicians as they come: what is taken in, and what is refused."""

import csv
import json
from pathlib import Path

import pytest
from builds import Outcome, shared_data
from chains import Chain

pytestmark = pytest.mark.long

FRONT = (
    *("build", "--select", "+fct_engagement", "engagement_patients", "engagement_providers"),
    *("+feed_reconciliation", "undeclared_columns", "quarantine"),
    *("--exclude", "resource_type:unit_test", "resource_type:test", "resource_type:seed"),
)
HEADER = (
    "Customer ID,person_type,as_of_date,satisfaction_score,engagement_level,procedure_frequency,"
    "referral_rate,technology_adoption,first_seen_date,left_date,annual_value,marketing_consent"
)
# Each record is of one kind, which the name of its person says.
FIRST = f"""{HEADER},Doc visits,"it's ""a"" note"
whole,Patient,2025-03-31,8.5,71,3,2,7,2020-01-05,,"$1,200.50",yes,6, as it is
history,patient,2025-03-31,8.5,71,3,2,7,2020-01-05,,1,yes,6,
history,patient,2025-06-30,9,75,3,2,7,2020-01-05,2025-06-01,1,yes,7,
history,MD,2025-06-30,9,75,60,2,8,,,,,8,
undated,,,5,50,1,1,5,,,,,,
nobody,,2025-03-31,,,,,,,,,,,
nobody,n/a,2025-03-31,1,1,1,1,1,,,,,,
,Patient,2025-03-31,5,50,1,1,5,,,,,,
2.98725E+13,Patient,2025-03-31,5,50,1,1,5,,,,,,
dentist,dentist,2025-03-31,5,50,1,1,5,,,,,,
eleven,patient,2025-03-31,11,100.1,-1,1001,10.5,,,-0.01,maybe,,
soon,patient,soon,5,50,1,1,5,,,,,,
words,patient,31/03/2025,good,N/A,--,,1e1,long ago,soon,lots,,,
comma,patient,2025-03-31,"8,5",50,1,1,5,,,,,,
gone,patient,2025-03-31,5,50,1,1,5,2020-01-31,2020-01-30,,no,,
twice,patient,2025-03-31,5,50,1,1,5,,,,,1,
 TWICE ,Patients,31.03.2025,5.0,50,1,1,5,,,,,1,
other,patient,2025-03-31,5,50,1,1,5,,,,,1,first
other,patient,2025-03-31,6,50,1,1,5,,,,,1,second
short,patient
"""
SECOND = f"{HEADER},Income\nother,patient,2025-03-31,7,50,1,1,5,,,,,86575.93\n"
# Without it, 8,5 would prove a decimal comma, and stop the build.
OPTIONS = "area,feed,option,value\nengagement,healthcare_data,decimal_mark,.\n"


@pytest.fixture(scope="module")
def profiles(dbt, built_once) -> Outcome:
    """Return the warehouse built on two files with records of every kind."""

    def build(place: Path) -> Outcome:
        folder = place / "raw" / "engagement" / "healthcare_data"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text(FIRST)
        (folder / "b.csv").write_text(SECOND)
        (place / "raw" / "feeds.csv").write_text(OPTIONS)
        return dbt(place / "raw", place, *FRONT, areas="engagement")

    return built_once("profiles", build)


def of_person(outcome: Outcome, person: str, columns: str) -> list[tuple]:
    """Read the facts of a person, the oldest first, the patient's before the physician's."""
    return outcome.query(
        f"select {columns} from core.fct_engagement where person_id = '{person.upper()}' "
        "order by person_type, as_of_date"
    )


def test_every_record_is_accepted_refused_or_a_duplicate(profiles):
    n_records = len(list(csv.reader(FIRST.splitlines()))) + len(SECOND.splitlines()) - 2
    [row] = profiles.query(
        "select n_files, n_raw, n_accepted, n_rejected, n_duplicates, n_repaired "
        "from quality.feed_reconciliation where area = 'engagement'"
    )
    assert row == (2, n_records, 12, 5, 4, 4)
    assert n_records == 12 + 5 + 4
    assert profiles.query("select count(*) from core.fct_engagement") == [(12,)]


def test_what_is_refused_says_why(profiles):
    found = profiles.query("select reason, count(*) from quality.quarantine group by 1 order by 1")
    assert found == [
        ("missing columns", 1),
        ("missing_person_id", 1),
        ("unknown_person_type: dentist", 1),
        ("unreadable_as_of_date", 1),
        ("unreadable_person_id", 1),
    ]


def test_a_value_out_of_range_or_unreadable_is_unknown_and_says_so(profiles):
    measures = (
        "satisfaction_score, engagement_level, procedure_frequency, referral_rate, "
        "technology_adoption, annual_value_amount"
    )
    assert of_person(profiles, "eleven", measures) == [(None,) * 6]
    [(repairs,)] = of_person(profiles, "eleven", "repairs")
    named = [
        *("satisfaction_score", "engagement_level", "procedure_frequency", "referral_rate"),
        *("technology_adoption", "annual_value"),
    ]
    ranges = [f"{name}:out_of_range" for name in named]
    assert sorted(repairs) == sorted([*ranges, "marketing_consent:set_null"])
    [(technology, *unknown)] = of_person(
        profiles, "words", "technology_adoption, satisfaction_score, engagement_level, left_date"
    )
    assert (technology, unknown) == (10, [None] * 3)
    [(repairs,)] = of_person(profiles, "words", "repairs")
    unread = ("satisfaction_score", "annual_value", "first_seen_date", "left_date")
    assert repairs == [f"{name}:set_null" for name in unread]
    assert of_person(profiles, "comma", "satisfaction_score, repairs") == [
        (None, ["satisfaction_score:set_null"])
    ]


def test_whoever_left_before_coming_has_not_left_as_far_as_is_known(profiles):
    assert of_person(profiles, "gone", "left_date, repairs, has_marketing_consent") == [
        (None, ["left_date:before_first_seen"], False)
    ]


def test_the_last_profile_of_a_person_and_day_wins_over_files(profiles):
    assert of_person(profiles, "other", "satisfaction_score, undeclared_values") == [
        (7, '{"Income":"86575.93"}')
    ]
    assert of_person(profiles, "twice", "satisfaction_score") == [(5,)]


def test_the_newest_profile_is_current_and_a_patient_and_a_physician_are_two_persons(profiles):
    columns = "person_type, as_of_date::varchar, is_current, patient_key, provider_key, person_key"
    first, second, physician = of_person(profiles, "history", columns)
    assert first[:3] == ("patient", "2025-03-31", False)
    assert second[:3] == ("patient", "2025-06-30", True)
    assert physician[:3] == ("physician", "2025-06-30", True)
    assert first[3:] == second[3:]
    assert second[4] is None
    assert physician[3] is None
    assert second[3] == physician[4]
    assert second[5] != physician[5]
    assert of_person(profiles, "undated", "as_of_date, is_current") == [(None, True)]


def test_what_is_not_declared_is_kept_as_it_is_and_is_no_drift(profiles):
    [(text, amount, consent)] = of_person(
        profiles, "whole", "undeclared_values, annual_value_amount, has_marketing_consent"
    )
    assert json.loads(text) == {"Doc visits": "6", 'it\'s "a" note': " as it is"}
    assert (str(amount), consent) == ("1200.50", True)
    [(text,)] = of_person(profiles, "undated", "undeclared_values")
    assert json.loads(text) == {"Doc visits": None, 'it\'s "a" note': None}
    assert profiles.query("select count(*) from quality.undeclared_columns") == [(0,)]


@pytest.fixture(scope="module")
def survey_rows() -> list[dict[str, str]]:
    """Return the records of the real survey, as texts."""
    with (shared_data("engagement") / "patient_survey.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def survey(dbt, built_once, survey_rows) -> Outcome:
    """Return the warehouse built on the real survey."""

    def build(place: Path) -> Outcome:
        (place / "raw" / "engagement").mkdir(parents=True)
        file = shared_data("engagement") / "patient_survey.csv"
        (place / "raw" / "engagement" / "healthcare_data.csv").symlink_to(file)
        return dbt(place / "raw", place, *FRONT, areas="engagement")

    return built_once("survey", build)


def test_a_survey_of_another_shape_is_taken_whole_as_profiles_of_patients(survey, survey_rows):
    assert len(survey_rows) == 10_000
    assert survey.query(
        "select n_raw, n_accepted, n_repaired from quality.feed_reconciliation "
        "where area = 'engagement'"
    ) == [(10_000, 10_000, 0)]
    facts = survey.query(
        "select person_id, undeclared_values from core.fct_engagement "
        "where person_type = 'patient' and is_current and as_of_date is null"
    )
    expected = {row.pop("Customer_id"): row for row in map(dict, survey_rows)}
    assert {person: json.loads(text) for person, text in facts} == expected
    assert survey.query("select count(*) from core.engagement_patients") == [(10_000,)]
    assert survey.query("select count(*) from core.engagement_providers") == [(0,)]


BASE = ("build", "--select", "base_engagement__healthcare_data", "--resource-type", "model")


def scores(raw: Path, *scores: str) -> Path:
    """Write a profile of each of some satisfaction scores."""
    (raw / "engagement").mkdir(parents=True, exist_ok=True)
    lines = [f"P{place},{score}" for place, score in enumerate(scores)]
    text = "\n".join(["patient_id,satisfaction_score", *lines])
    (raw / "engagement" / "healthcare_data.csv").write_text(text)
    return raw


def test_a_score_on_another_scale_stops_the_build_until_its_range_is_said(dbt, tmp_path):
    raw = scores(tmp_path / "raw", *["85"] * 16, *["8.5"] * 14)
    stopped = dbt(raw, tmp_path, *BASE)
    assert not stopped.success
    assert "16 of 30 values of satisfaction_score could not be read" in stopped.message
    assert "(16 are out of the range that a variable of dbt_project.yml holds)" in stopped.message
    ranges = json.dumps({"engagement_ranges": {"satisfaction_score": [0, 100]}})
    built = dbt(raw, tmp_path, *BASE, "--vars", ranges)
    assert built.success, built.message
    kept = "select count(satisfaction_score) from staging.base_engagement__healthcare_data"
    assert built.query(kept) == [(30,)]


@pytest.mark.system
def test_a_decimal_comma_stops_the_build_with_the_line_that_mends_it(dbt, tmp_path):
    raw = scores(tmp_path / "raw", '"8,5"', "7")
    stopped = dbt(raw, tmp_path, *BASE)
    assert not stopped.success
    line = 'engagement,healthcare_data,decimal_mark,","'
    assert line in stopped.message
    (raw / "feeds.csv").write_text(f"area,feed,option,value\n{line}\n")
    built = dbt(raw, tmp_path, *BASE)
    assert built.success, built.message
    values = "select satisfaction_score::double from staging.base_engagement__healthcare_data"
    assert sorted(built.query(values)) == [(7.0,), (8.5,)]


def test_a_usual_type_that_is_none_stops_the_build(dbt, tmp_path):
    raw = scores(tmp_path / "raw", "8")
    wrong = json.dumps({"engagement_default_person_type": "dentist"})
    stopped = dbt(raw, tmp_path, *BASE, "--vars", wrong)
    assert "is patient or physician, not 'dentist'" in stopped.message


@pytest.mark.system
def test_a_feature_is_known_by_every_name_that_the_feed_is_read_by(dbt, tmp_path):
    """By an alias, a name of feeds.csv, another spelling; and is not tested against itself."""
    folder = tmp_path / "raw" / "engagement"
    folder.mkdir(parents=True)
    (folder / "healthcare_data.csv").write_text(
        'Customer_id,Satisfaction,Zuweisungen,Yearly Value,Kosten\nA,"8,5",3,"90,5","1,25"\n'
    )
    (tmp_path / "raw" / "feeds.csv").write_text(
        'area,feed,option,value\nengagement,healthcare_data,decimal_mark,","\n'
        "engagement,healthcare_data,column:referral_rate,Zuweisungen\n"
    )
    features = ["Satisfaction", "Zuweisungen", "yearly value", "Kosten", "Satisfaction-Score"]
    select = ("build", "--resource-type", "model", "--select", "+persona_values")
    settings = json.dumps({"persona_features": features})
    built = dbt(tmp_path / "raw", tmp_path, *select, "--vars", settings, areas="engagement")
    assert built.success, built.message
    assert built.query("select feature, value from ml.persona_values order by feature") == [
        ("Kosten", 1.25),
        ("annual_value_amount", 90.5),
        ("referral_rate", 3.0),
        ("satisfaction_score", 8.5),
    ]
    circular = {"persona_features": features, "persona_outside_columns": ["Satisfaction", "kosten"]}
    select = ("build", "--resource-type", "model", "--select", "persona_outside_values")
    stopped = dbt(
        tmp_path / "raw", tmp_path, *select, "--vars", json.dumps(circular), areas="engagement"
    )
    assert "names satisfaction_score, kosten, of which the personas are made" in stopped.message


@pytest.mark.system
def test_a_chain_of_changes_gives_what_a_clean_build_gives(dbt, tmp_path):
    folder = tmp_path / "raw" / "engagement" / "healthcare_data"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(FIRST)
    (tmp_path / "raw" / "feeds.csv").write_text(OPTIONS)
    chain = Chain(
        dbt, tmp_path / "raw", tmp_path, *FRONT, "dim_patient", at_least=8, areas="engagement"
    )
    chain.build()
    (folder / "b.csv").write_text(SECOND)
    outcome = chain.build_as_clean()
    assert of_person(outcome, "other", "satisfaction_score") == [(7,)]
    # One person goes, another is named otherwise, a column is no longer there.
    text = FIRST.replace("undated,", "renamed,").replace("gone,patient", "gone,physician")
    (folder / "a.csv").write_text(text.replace("Doc visits", "Visits"))
    outcome = chain.build_as_clean()
    assert of_person(outcome, "undated", "1") == []
    assert of_person(outcome, "gone", "person_type") == [("physician",)]
    patients = "select patient_id from core.engagement_patients where patient_id in "
    assert outcome.query(f"{patients} ('UNDATED', 'RENAMED', 'GONE')") == [("RENAMED",)]
    (folder / "b.csv").unlink()
    outcome = chain.build_as_clean()
    assert of_person(outcome, "other", "satisfaction_score") == [(6,)]
