"""Small inputs of patient flow that people complained about, and what is right."""

import csv
import json
import random
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from builds import shared_case
from wardhouse.streaming.build import selected

NO_TESTS = ("build", "--exclude-resource-types", "test", "unit_test")
JUDGED = (
    "+patient_flow_insight_statistics", "insight_statistics", "insight_tests", "insights",
)  # fmt: skip


def events_of(case: str, hospital: str | None = None) -> list[dict]:
    """Read the events of a case, as those of a hospital of its own."""
    [path] = (shared_case(case) / "patient_flow").iterdir()
    text = path.read_text()
    if path.suffix == ".csv":
        events = list(csv.DictReader(text.splitlines()))
    elif path.suffix == ".json":
        events = json.loads(text)
    else:
        events = [json.loads(line) for line in text.splitlines()]
    return [each | ({"hospital_id": hospital} if hospital else {}) for each in events]


def write(place: Path, name: str, events: list[dict]) -> Path:
    """Write events as one file of the feed, and return the raw directory."""
    folder = place / "raw" / "patient_flow" / "patient_events"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ndjson").write_text("".join(json.dumps(each) + "\n" for each in events))
    return place / "raw"


@pytest.fixture(scope="module")
def build(dbt, built_elsewhere, tmp_path_factory):
    """Return a function that builds models on events, beside the statistics of other areas."""

    def build(name: str, events: list[dict], *models: str, **variables: str):
        place = tmp_path_factory.mktemp(name)
        raw_dir = write(place, "a", events)
        run = dbt
        if "insights" in models:
            arguments = (
                *NO_TESTS,
                "--select",
                "+telehealth_insight_statistics",
                "+growth_insight_statistics",
            )
            start = built_elsewhere("elsewhere_told", dbt, raw_dir, *arguments)
            run = partial(dbt, start=start)
        arguments = ("--vars", json.dumps(variables)) if variables else ()
        outcome = run(raw_dir, place, *NO_TESTS, "--select", *models, *arguments,
                      areas="patient_flow")  # fmt: skip
        assert outcome.success, outcome.message
        return outcome

    return build


@pytest.fixture(scope="module")
def one_long_stay(build):
    marts = ("hourly_demand", "shift_demand", "staffing_alignment", "daily_flow", "department_flow")
    events = events_of("one_long_stay")
    return build("one_long_stay", events, *JUDGED, *(f"+{mart}" for mart in marts))


def test_a_stay_longer_than_can_be_is_flagged_and_in_no_figure(one_long_stay):
    assert one_long_stay.query(
        "select n_stays, n_admissions, n_stays_too_long, n_stay_known, "
        "avg_length_of_stay_hours::int from patient_flow.department_flow"
    ) == [(721, 720, 1, 720, 10)]


def test_hours_run_from_the_first_admission_to_the_last_credible_event(one_long_stay):
    [(first, last, n)] = one_long_stay.query(
        "select min(hour_at), max(hour_at), count(*) from core.department_hours"
    )
    assert (first, last) == (datetime(2025, 1, 1), datetime(2025, 1, 31, 9))
    assert n == 730


def test_days_after_the_last_arrival_are_not_days_without_arrivals(one_long_stay):
    [(arrivals, census)] = one_long_stay.query(
        "select sum(avg_admissions * n_hours) / sum(n_hours), "
        "sum(avg_census * n_hours) / sum(n_hours) from patient_flow.hourly_demand"
    )
    assert arrivals == pytest.approx(1, abs=0.001)
    assert census == pytest.approx(9.9, abs=0.05)
    assert set(
        one_long_stay.query("select avg_admissions::double from patient_flow.staffing_alignment")
    ) == {(1.0,)}
    assert one_long_stay.query(
        "select n_admissions, n_discharges from patient_flow.daily_flow "
        "order by flow_date desc limit 2"
    ) == [(None, 10), (24, 24)]


def test_there_is_no_trend_in_arrivals_that_are_the_same_every_day(one_long_stay):
    assert one_long_stay.query(
        "select n_compared, is_significant from quality.insights where insight = 'demand_trend'"
    ) == [(28, None)]


AS_OF = "2026-11-27 00:00:00"


@pytest.fixture(scope="module")
def announced_and_open(build):
    """Return the warehouse of announced discharges, and of all ways to say that nobody left."""
    events = events_of("announced_discharges") + events_of("open_discharge_dates", "H2")
    marts = ("+patient_stays", "+department_flow", "+experience_risk")
    return build("announced_and_open", events, *JUDGED, *marts, as_of=AS_OF)


def test_a_planned_discharge_is_no_measured_stay_anywhere(announced_and_open):
    assert announced_and_open.query(
        "select department, n_stay_known, n_discharges_planned, avg_length_of_stay_hours::double "
        "from patient_flow.department_flow where hospital_id = 'H1' order by all"
    ) == [("Ward A", 6, 6, 4.0), ("Ward B", 6, 0, 10.0)]
    assert announced_and_open.query(
        "select statement, value, n from quality.insights where insight = 'department_stay'"
    ) == [("Ward B of hospital H1 has the longest stays", 10.0, 6)]
    assert announced_and_open.query(
        "select department, n_known from patient_flow.experience_risk "
        "where measure = 'length of stay' and hospital_id = 'H1' order by all"
    ) == [("Ward A", 6), ("Ward B", 6)]


def test_every_way_to_say_that_nobody_left_yet_means_still_admitted(announced_and_open):
    assert announced_and_open.query(
        "select count(*), count(*) filter (is_currently_admitted), sum(len(repairs)) "
        "from patient_flow.patient_stays "
        "inner join core.fct_patient_stays using (patient_stay_key) "
        "where patient_stays.hospital_id = 'H2'"
    ) == [(14, 14, 0)]


def sparse(n: int = 604, years: int = 34) -> list[dict]:
    """Return stays of five departments of a hospital, days to months apart, without a clock."""
    chance = random.Random(3)
    events = []
    for number in range(n):
        day = number * years * 365 // n
        arrived = datetime(1990, 1, 1) + timedelta(days=day, minutes=chance.randrange(1440))
        left = arrived + timedelta(hours=chance.randrange(1, 200))
        events.append({
            "patient_id": f"S{number}", "hospital_id": "sparse",
            "department": f"Ward {chance.randrange(5)}",
            "admission_time": arrived.isoformat(), "discharge_time": left.isoformat(),
        })  # fmt: skip
    return events


@pytest.fixture(scope="module")
def mistyped_years(build):
    """Return the warehouse of stays with a mistyped year, beside 34 years of few stays."""
    events = [
        *events_of("one_mistyped_year_overflow", "overflow"),
        *events_of("one_mistyped_year_forty_wards", "forty"),
        *sparse(),
    ]
    return build("mistyped_years", events, "+daily_flow", "+department_flow")


def test_a_mistyped_year_stops_no_build_and_is_flagged(mistyped_years):
    assert mistyped_years.query(
        "select hospital_id, sum(n_stays), sum(n_stays_too_long), max(avg_length_of_stay_hours) "
        "from patient_flow.department_flow where hospital_id <> 'SPARSE' group by all order by all"
    ) == [("FORTY", 2361, 1, 10), ("OVERFLOW", 2, 1, 24)]


def test_hours_are_rows_only_near_an_event_of_the_department(mistyped_years):
    found = dict(mistyped_years.query(
        "select hospital_id || department, count(*) from core.department_covered_hours "
        "inner join core.dim_department using (department_key) group by all"
    ))  # fmt: skip
    [(last,)] = mistyped_years.query(
        "select max(last_known_at)::date from core.department_covered_hours"
    )
    assert last == date(2025, 1, 3)
    wards: dict[str, set[date]] = {}
    for each in sparse():
        for moment in (each["admission_time"], each["discharge_time"]):
            wards.setdefault("SPARSE" + each["department"], set()).add(
                date.fromisoformat(moment[:10])
            )
    for ward, days in wards.items():
        near = {day + timedelta(days=off) for day in days for off in range(-30, 31)}
        assert found[ward] == len({day for day in near if min(days) <= day <= last})
    assert sum(len(days) for days in wards.values()) > 1000
    [(n_hours, n_admissions)] = mistyped_years.query(
        "select count(*), sum(n_admissions) from core.department_hours"
    )
    assert n_hours < 24 * sum(found.values())
    assert n_admissions == 2360 + 1 + 604


@pytest.mark.system
def test_the_census_of_a_gap_needs_no_rows(mistyped_years):
    """Whoever came before a gap and left after it is counted in neither place twice."""
    assert mistyped_years.query(
        "select min(least(lowest, 0)), max(last_one) from (select min(census) as lowest, "
        "arg_max(census, hour_at) as last_one from core.department_hours group by department_key)"
    ) == [(0, 0)]


NOW = datetime(2025, 9, 21, 12)


def of_a_stream(patient: str, ward: int, ingested: datetime, **values) -> dict:
    """Return an event that a stream brought, of an admission when it was ingested."""
    return {
        "event_id": f"{patient} in {ward} at {ingested}", "event_time": ingested.isoformat(),
        "patient_id": patient, "hospital_id": "H1", "department": f"Ward {ward}",
        "admission_time": ingested.isoformat(), "discharge_time": None,
        "ingested_at": ingested.isoformat(), **values,
    }  # fmt: skip


POISON = {
    "an admission in 1990": {"admission_time": "1990-03-01T00:00:00"},
    "a clock at 2050": {
        "event_time": "2050-03-01T00:00:00",
        "admission_time": "2050-03-01T00:00:00",
    },
    "an admission in 2050": {"event_time": None, "admission_time": "2050-03-01T00:00:00"},
    "an old admission without a clock": {
        "event_time": None,
        "admission_time": "1990-03-01T00:00:00",
    },
    "a discharge in 2050": {"discharge_time": "2050-03-01T00:00:00"},
    "a discharge in 1990": {"discharge_time": "1990-03-01T00:00:00"},
}


@pytest.mark.system
def test_a_poison_event_makes_no_cycle_of_a_stream_dearer(dbt, tmp_path):
    """Of 150 wards with a patient an hour; what a cycle adds are the rows of its hour."""

    def counted_after(name: str, events: list[dict], *selection: str) -> tuple[int, int, int]:
        raw_dir = write(tmp_path, name, events)
        outcome = dbt(raw_dir, tmp_path, *selection, areas="patient_flow")
        assert outcome.success, outcome.message
        [counts] = outcome.query(
            "select (select count(*) from core.department_hours), "
            "(select count(*) from core.department_hour_flows), "
            "(select count(*) from staging.base_patient_flow__patient_events "
            "where rejection_reason = 'event_time_after_ingestion')"
        )
        return counts

    whole = (*NO_TESTS, "--select", "+department_hours", "+dim_patient")
    cycle = ("build", *selected("patient_flow.patient_events"))
    wards = range(150)
    first = [of_a_stream(f"P{ward}", ward, NOW) for ward in wards]
    assert counted_after("a", first, *whole) == (150, 150, 0)
    poison = [
        of_a_stream(name, ward, NOW, **values) for ward in (0, 7) for name, values in POISON.items()
    ]
    n_hours, n_flows, n_rejected = counted_after("b", poison, *cycle)
    assert (n_hours, n_rejected) == (150, 2)
    later = NOW + timedelta(hours=1)
    last = [of_a_stream(f"Q{ward}", ward, later) for ward in wards]
    assert counted_after("c", last, *cycle) == (300, n_flows + 150, 2)


@pytest.mark.system
def test_without_a_discharge_no_department_falls_behind(build):
    """Of two departments with ten patients each nothing tells that anybody left."""
    events = [
        {
            "patient_id": f"P{number}",
            "hospital_id": "H1",
            "department": ["ICU", "Ward 2"][number % 2],
            "admission_time": f"2025-03-{1 + number:02}T10:00:00",
        }
        for number in range(20)
    ]
    marts = ("+patient_stays", "+staffing_alignment", "+bed_occupancy", "+hourly_demand")
    outcome = build("without_discharges", events, *JUDGED, *marts, as_of="2025-03-20 12:00:00")
    assert outcome.query(
        "select statement, value, n, verdict from quality.insights "
        "where insight in ('department_throughput', 'department_stay_risk', 'department_stay')"
    ) == [("No discharge is known", None, 0, "too few to tell")]
    assert outcome.query(
        "select (select count(is_currently_admitted) from patient_flow.patient_stays), "
        "(select count(occupancy_rate) from patient_flow.bed_occupancy), "
        "(select count(avg_census) from patient_flow.hourly_demand)"
    ) == [(0, 0, 0)]
    assert outcome.query(
        "select distinct verdict from patient_flow.staffing_alignment order by all"
    ) == [("demand unknown",), ("no plan",)]


@pytest.fixture(scope="module")
def days_alone(build):
    """Return the warehouse of a ward whose times are days, and of one of which most are exact.

    Ward D: a patient a day, each for two days. Ward T: the same at ten, and two more without time.
    """
    events = []
    for number in range(20):
        came, left = (date(2025, 3, 1) + timedelta(days=number + n) for n in (0, 2))
        events += [
            {"patient_id": f"{ward}{number}", "hospital_id": "H1", "department": f"Ward {ward[0]}",
             "admission_time": f"{came}{hour}", "discharge_time": f"{left}{hour}",
             "wait_time_minutes": 30 if hour else 50}
            for ward, hour in (("D", ""), ("T1", "T10:00:00"), ("T2", ""), ("T3", ""))
        ]  # fmt: skip
    # Out on the day of an exact admission is not out before it.
    events.append({
        "patient_id": "S", "hospital_id": "H1", "department": "Ward S",
        "admission_time": "2025-03-05T10:00:00", "discharge_time": "2025-03-05",
    })  # fmt: skip
    marts = ("hourly_demand", "staffing_alignment", "daily_flow", "department_flow")
    return build("days_alone", events, *JUDGED, *(f"+{m}" for m in marts), "+department_pressure")


def test_admissions_known_by_the_day_alone_are_in_no_figure_by_hour_or_shift(days_alone):
    assert days_alone.query(
        "select department, sum(n_admissions), count(avg_admissions), count(avg_census) > 0 "
        "from patient_flow.hourly_demand where department <> 'Ward S' group by all order by all"
    ) == [("Ward D", None, 0, False), ("Ward T", 20, 168, True)]
    assert days_alone.query(
        "select hour_of_day, n_admissions::int, n_wait_known, avg_wait_minutes::int "
        "from patient_flow.department_pressure "
        "where department in ('Ward D', 'Ward T') and (n_admissions > 0 or n_wait_known > 0)"
    ) == [(10, 20, 20, 30)]
    assert days_alone.query(
        "select distinct needed_staff, peak_hour_of_day from patient_flow.staffing_alignment "
        "where department = 'Ward D'"
    ) == [(None, None)]
    assert set(days_alone.query(
        "select group_name from patient_flow.patient_flow_insight_statistics "
        "where insight = 'demand_hour' and y_sum > 0"
    )) == {("10:00",)}  # fmt: skip


def test_admissions_known_by_the_day_alone_are_in_daily_figures_and_counted(days_alone):
    assert days_alone.query(
        "select department, sum(n_admissions) from patient_flow.daily_flow "
        "group by all order by all"
    ) == [("Ward D", 20), ("Ward S", 1), ("Ward T", 60)]
    assert days_alone.query(
        "select department, n_admissions, n_stays_of_days, n_discharges_before_admission, "
        "avg_length_of_stay_hours::int from patient_flow.department_flow order by all"
    ) == [("Ward D", 20, 20, 0, 48), ("Ward S", 1, 1, 0, 0), ("Ward T", 60, 40, 0, 48)]
    assert days_alone.query(
        "select min(census), max(census) from core.department_hours"
    ) == [(0, 6)]  # fmt: skip
