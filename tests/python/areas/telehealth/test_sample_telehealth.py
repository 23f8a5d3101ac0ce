"""The telehealth sample: the same bytes every time, every kind of dirt, and truth that holds."""

import csv
import re

import pandas as pd
import pytest
from builds import PROJECT
from typer.testing import CliRunner
from wardhouse import cli
from wardhouse.areas.telehealth.dirt import (
    APPOINTMENTS,
    EVENTS,
    FEEDS,
    KINDS,
    AppointmentEventDirt,
    TelehealthDirt,
)
from wardhouse.areas.telehealth.events import KINDS as EVENT_KINDS
from wardhouse.areas.telehealth.sample import generate_telehealth
from wardhouse.synthetic import writer

CLEAN = TelehealthDirt().scaled(0)
CLEAN_EVENTS = AppointmentEventDirt().scaled(0)


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    return generate_telehealth(tmp_path_factory.mktemp("default"), 600)


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    return generate_telehealth(tmp_path_factory.mktemp("larger"), 20_000, seed=7, dirt=CLEAN)


@pytest.fixture(scope="module")
def visits(larger):
    visits = pd.read_csv(larger.raw_dir / f"{APPOINTMENTS}.csv")
    visits = visits.merge(pd.read_csv(larger.raw_dir / "patients.csv"), on="patient_id")
    return visits.merge(pd.read_csv(larger.raw_dir / "providers.csv"), on="provider_id")


def test_shipped_sample_is_what_the_generator_writes(default):
    assert files(PROJECT / "seeds/sample/telehealth") == files(default.raw_dir)
    assert files(PROJECT / "tests/truth/telehealth") == files(default.truth_dir)
    sizes = {name: len(content) for name, content in files(default.raw_dir).items()}
    events = sum(size for name, size in sizes.items() if name.startswith(EVENTS))
    assert sum(sizes.values()) - events < 300_000
    assert events < 800_000


def test_blocks_do_not_change_a_byte(default, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "BLOCK_RECORDS", 97)
    again = generate_telehealth(tmp_path, 600)
    assert files(again.raw_dir) == files(default.raw_dir)
    assert files(again.truth_dir) == files(default.truth_dir)


def test_another_seed_is_another_platform(default, tmp_path):
    other = files(generate_telehealth(tmp_path, 600, seed=1).raw_dir)
    ours = files(default.raw_dir)
    assert other.keys() == ours.keys()
    assert all(other[name] != ours[name] for name in ours)


def test_every_kind_of_dirt_is_in_the_shipped_sample(default):
    assert default.dirt.keys() == KINDS.keys()
    assert min(default.dirt.values()) >= 1
    by_kind = pd.read_csv(default.truth_dir / "expected_dirt.csv")
    assert set(by_kind["kind"]) == KINDS.keys() | EVENT_KINDS.keys() | {"clean"}
    of_events = by_kind[by_kind.feed == EVENTS]
    assert set(of_events["kind"]) == EVENT_KINDS.keys() | {"clean"}


def test_the_warehouse_makes_of_every_record_what_the_truth_says(sample, default):
    told = {
        feed: counts
        for feed, *counts in sample.query(
            "select feed, n_raw, n_accepted, n_rejected, n_duplicates "
            "from quality.feed_reconciliation where area = 'telehealth' and n_files > 0"
        )
    }
    assert told.keys() >= set(FEEDS)
    assert told == {feed: list(vars(default.feeds[feed]).values()) for feed in told}


def test_accepted_appointments_read_as_the_truth_says(sample, default):
    with (default.truth_dir / "accepted_appointments.csv").open(newline="") as source:
        truth = {row["appointment_id"]: row for row in csv.DictReader(source)}
    rows = sample.query(
        "select appointment_id, provider_id, patient_id, appointment_date::varchar, "
        "scheduled_minute_of_day, appointment_type, appointment_status, wait_minutes, "
        "duration_minutes from core.fct_appointments"
    )
    assert {row[0] for row in rows} == truth.keys()
    for identifier, provider, patient, day, minute, kind, status, wait, duration in rows:
        expected = truth[identifier]
        assert provider == expected["provider_id"]
        assert patient == expected["patient_id"]
        assert (day, f"{minute // 60:02}:{minute % 60:02}:00") == (
            expected["appointment_date"],
            expected["scheduled_time"],
        )
        assert (kind, status) == (expected["appointment_type"], expected["status"])
        # The only dirt that hides a number is an unreadable wait, which is of a missed visit.
        assert [number is None or str(int(number)) for number in (wait, duration)] == [
            text or True for text in (expected["wait_minutes"], expected["duration_minutes"])
        ]


def test_inferred_members_are_those_that_nobody_describes(sample):
    rows = sample.query(
        "select 'provider', provider_id from core.telehealth_providers where is_inferred "
        "union all select 'patient', patient_id from core.telehealth_patients "
        "where is_inferred"
    )
    kinds = [kind for kind, _ in rows]
    # One undescribed, and one whose own record has lost its identifier.
    assert 1 <= kinds.count("provider") <= 2
    assert 1 <= kinds.count("patient") <= 2


def test_no_dirt_is_clean(tmp_path):
    clean = generate_telehealth(tmp_path, 600, dirt=CLEAN, event_dirt=CLEAN_EVENTS)
    assert clean.dirt == {}
    assert all(feed.n_raw == feed.n_accepted for feed in clean.feeds.values())


@pytest.mark.parametrize("appointments", [1, 2, 7])
def test_tiny_platforms_without_dirt_can_be(tmp_path, appointments):
    tiny = generate_telehealth(tmp_path, appointments, dirt=CLEAN)
    assert tiny.feeds[APPOINTMENTS].n_accepted == appointments


def test_names_are_obviously_generated(default):
    with (default.raw_dir / "providers.csv").open(newline="") as source:
        rows = list(csv.DictReader(source))
    assert all(
        row["first_name"] == "Provider" and re.fullmatch(r"\d{4}", row["last_name"]) for row in rows
    )


def test_planted_devices_have_more_trouble_and_shorter_waits(visits):
    trouble = visits.groupby("device_type").had_technical_issues.mean()
    assert trouble["Tablet"] > 2 * trouble.drop("Tablet").max()
    wait = visits.groupby("device_type").wait_time_minutes.mean()
    assert wait["Desktop"] < wait.drop("Desktop").min() - 3


def test_planted_patients_miss_more_appointments(visits, larger):
    missed = visits.status == "No-show"
    unreliable = pd.read_csv(larger.truth_dir / "unreliable_patients.csv").patient_id
    assert 0.08 < missed.mean() < 0.2
    assert missed[visits.patient_id.isin(unreliable)].mean() > 2 * missed.mean()
    assert missed[~visits.has_insurance].mean() > 2 * missed[visits.has_insurance].mean()
    truth = pd.read_csv(larger.truth_dir / "accepted_appointments.csv")
    by_risk = (truth.status == "No-show").groupby(truth.no_show_risk).agg(["mean", "size"])
    common = by_risk[by_risk["size"] > 200]
    assert (common["mean"] - common.index).abs().max() < 0.05


def test_planted_durations_hang_on_type_specialty_and_age(visits):
    held = visits[visits.status == "Completed"]
    by_type = held.groupby("appointment_type").duration_minutes.mean()
    assert by_type["Initial Consultation"] > by_type["Medication Review"] + 15
    slow = held.specialty == "Psychiatry"
    assert held[slow].duration_minutes.mean() > held[~slow].duration_minutes.mean() + 6
    old = held.age >= 65
    assert held[old].duration_minutes.mean() > held[~old].duration_minutes.mean() + 3


def test_planted_satisfaction_hangs_on_specialty_and_trouble(visits, larger):
    feedback = pd.read_csv(larger.raw_dir / "patient_feedback.csv")
    rated = feedback.merge(visits, on="appointment_id")
    by_specialty = rated.groupby("specialty").overall_satisfaction.mean()
    assert by_specialty.idxmax() == "Dermatology"
    by_trouble = rated.groupby("had_technical_issues").overall_satisfaction.mean()
    assert by_trouble[False] - by_trouble[True] > 1


def run(*options):
    return CliRunner().invoke(cli.app, ["sample", *map(str, options)])


def test_command_writes_what_the_function_writes(default, tmp_path):
    result = run("--area", "telehealth", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "telehealth") == files(default.raw_dir)
    assert files(tmp_path / "truth" / "telehealth") == files(default.truth_dir)


def test_command_takes_shares_of_its_area(tmp_path):
    options = ("--area", "telehealth", "--dirt", 0, "--share", "wait_nan=0.01")
    assert run(*options, "--out", tmp_path).exit_code == 0
    text = (tmp_path / "telehealth" / f"{APPOINTMENTS}.csv").read_text()
    assert text.count(",NaN,") == 6
    wrong = run("--area", "telehealth", "--share", "cost_na=0.01", "--out", tmp_path)
    assert wrong.exit_code != 0


def test_command_refuses_parts_of_what_is_one_file(tmp_path):
    assert run("--area", "telehealth", "--files", 2, "--out", tmp_path).exit_code != 0
