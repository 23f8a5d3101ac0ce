"""Patient flow on the real input: figures known from outside, and an independent recomputation."""

import itertools
import json
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest
from builds import shared_data
from scipy import stats

pytestmark = pytest.mark.long

BUILD = ("build", "--selector", "patient_flow")
NO_TESTS = ("build", "--exclude-resource-types", "test", "unit_test", "--select")
KEYS = ["hospital_id", "department"]


def write(place, **files):
    """Write the files given, by name and events, into a raw directory."""
    folder = place / "raw" / "patient_flow" / "patient_events"
    folder.mkdir(parents=True, exist_ok=True)
    for name, events in files.items():
        lines = "".join(json.dumps(event) + "\n" for event in events)
        (folder / f"{name}.ndjson").write_text(lines)
    return place / "raw"


def build(dbt, place, *arguments, **files):
    """Build patient flow on a raw directory with the files given, by name and events."""
    raw_dir = write(place, **files)
    outcome = dbt(raw_dir, place, *(arguments or BUILD), areas="patient_flow")
    assert outcome.success, outcome.message
    return outcome


def event(patient="P1", admitted="2025-03-01T10:00:00", discharged=None, **values):
    """Return an event as a producer sends it."""
    return {
        "patient_id": patient,
        "gender": "Female",
        "age": 40,
        "department": "ICU",
        "admission_time": admitted,
        "discharge_time": discharged,
        "bed_id": 7,
        "hospital_id": 5,
        **values,
    }


@pytest.fixture(scope="module")
def source():
    return shared_data("patient_flow") / "bronze_raw_json.jsonl"


@pytest.fixture(scope="module")
def real(dbt, source, tmp_path_factory):
    """Return the warehouse built on the real events, as they came from the broker."""
    place = tmp_path_factory.mktemp("patient_flow")
    folder = place / "raw" / "patient_flow"
    folder.mkdir(parents=True)
    (folder / "patient_events.jsonl").symlink_to(source)
    outcome = dbt(place / "raw", place, *BUILD, areas="patient_flow")
    assert outcome.success, outcome.message
    return outcome


@pytest.fixture(scope="module")
def raw(source):
    """Return the distinct events as pandas reads them, with the length of each stay in hours."""
    lines = pd.Series(source.read_text().splitlines()).map(json.loads)
    events = pd.DataFrame(lines.tolist()).drop_duplicates(ignore_index=True)
    events["admitted"] = pd.to_datetime(events.admission_time)
    events["discharged"] = pd.to_datetime(events.discharge_time)
    length = (events.discharged - events.admitted).dt.total_seconds() / 3600
    events["hours"] = length.where(length >= 0)
    events["hospital_id"] = events.hospital_id.astype(str)
    return events


def agree(found, expected, rounding=0.0):
    """Hold a column of a mart against its recomputation, unknown against unknown."""
    found, expected = found.astype(float), expected.reindex(found.index).astype(float)
    assert (found.isna() == expected.isna()).all()
    assert (found - expected).abs().max() <= rounding + 1e-9


def test_every_message_counts_once(real):
    rows = real.query(
        "select n_raw, n_accepted, n_duplicates, n_rejected, n_repaired "
        "from quality.feed_reconciliation where area = 'patient_flow'"
    )
    assert rows == [(1206, 1202, 4, 0, 54)]


def test_ages_that_cannot_be_are_unknown_and_kept_as_reported(real):
    [row] = real.query(
        "select count(*) filter (age is null), count(*) filter (is_age_repaired), "
        "count(*) filter (reported_age > 100), max(age), max(reported_age) "
        "from core.fct_patient_stays"
    )
    assert row == (54, 54, 54, 100, 150)


def test_stays_that_end_before_they_begin_have_no_length(real):
    [row] = real.query(
        "select count(*), count(*) filter (length_of_stay_hours is null), "
        "count(*) filter (is_discharge_before_admission), "
        "count(*) filter (discharged_at < admitted_at) from core.fct_patient_stays"
    )
    assert row == (1202, 58, 58, 58)


def test_departments_equal_an_independent_recomputation(real, raw):
    found = real.frame("from patient_flow.department_flow").set_index(KEYS)
    groups = raw.groupby(KEYS)
    assert len(found) == 49
    agree(found.n_admissions, groups.size())
    agree(found.n_stay_known, groups.hours.count())
    agree(found.avg_length_of_stay_hours, groups.hours.mean(), 0.0001)
    agree(found.median_length_of_stay_hours, groups.hours.median(), 0.0051)
    agree(found.ninetieth_percentile_length_of_stay_hours, groups.hours.quantile(0.9), 0.0051)
    agree(found.n_ages_repaired, groups.age.agg(lambda age: (age > 100).sum()))


def hourly(raw):
    """Count arrivals, discharges and patients there, hour by hour, by department."""
    usable = raw[raw.hours.notna()]
    last = max(raw.admitted.max(), usable.discharged.max()).floor("h")
    tables = []
    for keys, group in raw.groupby(KEYS):
        hours = pd.date_range(group.admitted.min().floor("h"), last, freq="h")
        there = group[group.hours.notna()]
        ends = hours + pd.Timedelta(hours=1)
        table = pd.DataFrame(
            {
                "n_admissions": group.admitted.dt.floor("h").value_counts().reindex(hours),
                "n_discharges": there.discharged.dt.floor("h").value_counts().reindex(hours),
            }
        ).fillna(0)
        table["census"] = [((there.admitted < e) & (there.discharged >= e)).sum() for e in ends]
        tables.append(table.assign(hospital_id=keys[0], department=keys[1], hour_at=hours))
    return pd.concat(tables).set_index([*KEYS, "hour_at"])


def test_hours_days_and_census_equal_an_independent_recomputation(real, raw):
    expected = hourly(raw)
    found = real.frame(
        "select hospital_id, department, hours.* from core.department_hours as hours "
        "inner join core.dim_department using (department_key)"
    ).set_index([*KEYS, "hour_at"])
    assert len(found) == len(expected)
    for column in ("n_admissions", "n_discharges", "census"):
        agree(found[column], expected[column])
    assert found.n_admissions.sum() == 1202
    assert found.n_discharges.sum() == 1144
    occupancy = real.frame("from patient_flow.bed_occupancy").set_index([*KEYS, "hour_at"])
    beds = raw.groupby(KEYS).bed_id.nunique().reindex(occupancy.index.droplevel("hour_at"))
    agree(occupancy.occupancy_rate, occupancy.census / beds.to_numpy(), 0.00006)
    daily = real.frame("from patient_flow.daily_flow").set_index([*KEYS, "flow_date"])
    days = expected.reset_index()
    days["flow_date"] = days.hour_at.dt.normalize()
    groups = days.groupby([*KEYS, "flow_date"])
    agree(daily.n_admissions, groups.n_admissions.sum())
    agree(daily.peak_census, groups.census.max())
    agree(daily.closing_census, groups.census.last())
    assert (daily.n_admissions == 0).any()


def test_pressure_and_demand_equal_an_independent_recomputation(real, raw):
    found = real.frame("from patient_flow.department_pressure").set_index([*KEYS, "hour_of_day"])
    usable = raw[raw.hours.notna()]
    left = usable.groupby([*KEYS, usable.discharged.dt.hour.rename("hour_of_day")])
    came = raw.groupby([*KEYS, raw.admitted.dt.hour.rename("hour_of_day")])
    agree(found.n_admissions, came.size().reindex(found.index, fill_value=0))
    agree(found.n_discharges, left.size().reindex(found.index, fill_value=0))
    agree(found.median_length_of_stay_hours, left.hours.median(), 0.0051)
    agree(found.pressure, came.size().reindex(found.index, fill_value=0) / left.size(), 0.00006)
    demand = real.frame(
        "select hour_of_day, iso_day_of_week - 1 as weekday, sum(n_admissions) as n "
        "from patient_flow.hourly_demand group by all having n > 0"
    ).set_index(["weekday", "hour_of_day"])
    agree(demand.n, raw.groupby([raw.admitted.dt.day_of_week, raw.admitted.dt.hour]).size())


def test_staffing_gap_equals_an_independent_recomputation(real, raw):
    plan = real.frame(
        "select department, shift, planned_staff::double as planned_staff, "
        "patients_per_staff::double as patients_per_staff from reference.staffing_plan"
    )
    hours = hourly(raw).reset_index()
    shifts = hours.hour_at.dt.hour.floordiv(8).map({0: "Night", 1: "Day", 2: "Evening"})
    expected = hours.groupby([*KEYS, shifts.rename("shift")], as_index=False).census.mean()
    expected = expected.merge(plan, on=["department", "shift"]).set_index([*KEYS, "shift"])
    gap = expected.census / expected.patients_per_staff - expected.planned_staff
    found = real.frame("from patient_flow.staffing_alignment").set_index([*KEYS, "shift"])
    assert len(found) == len(gap) == 49 * 3
    agree(found.staff_gap, gap, 0.0051)


def test_beds_that_two_patients_share_equal_an_independent_search(real, raw):
    found = real.query("select patient_id from patient_flow.bed_overlaps inner join "
                       "core.fct_patient_stays using (patient_stay_key)")  # fmt: skip
    expected = []
    usable = raw[raw.hours > 0].sort_values("admitted")
    for _, uses in usable.groupby(["hospital_id", "bed_id"]):
        for place in range(1, len(uses)):
            earlier, use = uses.iloc[:place], uses.iloc[place]
            if (earlier.discharged > use.admitted).any():
                expected.append(use.patient_id.upper())
    assert sorted(patient for (patient,) in found) == sorted(expected)
    assert len(expected) > 100


def test_risk_is_judged_by_the_interval_of_scipy(real, raw):
    found = real.frame("from patient_flow.experience_risk where measure = 'length of stay'")
    beyond = raw.assign(beyond=raw.hours > 72).groupby(KEYS)
    for row in found.itertuples():
        group = beyond.get_group((row.hospital_id, row.department))
        interval = stats.binomtest(int(group.beyond.sum()), int(group.hours.count()))
        low, high = interval.proportion_ci(method="wilson")
        assert (row.beyond_target_rate_low, row.beyond_target_rate_high) == pytest.approx(
            (low, high), abs=1e-9
        )
    # Nobody stayed longer than three days, and no department is at risk.
    assert set(found.verdict) == {
        "within the target", "not at risk beyond chance", "too few to tell"
    }  # fmt: skip


def test_insights_find_no_difference_in_the_real_events(real, raw):
    tests = real.frame("from quality.insights where area = 'patient_flow'").set_index("insight")
    assert not tests.is_significant.fillna(False).any()
    assert tests.verdict["department_throughput"] == "departments keep pace alike"
    assert tests.verdict["demand_weekday"] == "too few to tell"
    assert "department_wait" not in tests.index
    lengths = [group.hours.dropna() for _, group in raw.groupby(KEYS)]
    expected = stats.f_oneway(*lengths)
    assert tests.statistic["department_stay"] == pytest.approx(expected.statistic, rel=1e-6)
    assert tests.p_value["department_stay"] == pytest.approx(expected.pvalue, rel=1e-6)


def test_age_groups_equal_an_independent_recomputation(real, raw):
    ages = pd.cut(raw.age.where(raw.age <= 100), [-1, 17, 34, 49, 64, 100],
                  labels=["Under 18", "18-34", "35-49", "50-64", "65+"])  # fmt: skip
    groups = raw.groupby(
        [
            "gender",
            ages.cat.add_categories("Unknown").fillna("Unknown").astype(str).rename("age_group"),
        ]
    )
    found = real.frame("from patient_flow.flow_by_gender_age").set_index(["gender", "age_group"])
    assert len(found) == 12
    agree(found.n_stays, groups.size())
    agree(found.avg_length_of_stay_hours, groups.hours.mean(), 0.0051)


@pytest.fixture(scope="module")
def admitted():
    """Return events of one stay as a stream tells it: arrival, a move, and the discharge."""
    arrival = event(event_id="E1", event_time="2025-03-01T10:00:00", wait_time_minutes=25)
    moved = event(event_id="E2", event_time="2025-03-01T12:00:00", department="Surgery", bed_id=9)
    left = event(event_id="E3", event_time="2025-03-02T10:00:00", department="Surgery", bed_id=9,
                 discharged="2025-03-02T09:30:00")  # fmt: skip
    return [arrival, moved, left]


STAY = (
    "select department, bed_id, wait_minutes::double, length_of_stay_hours::double, n_events "
    "from core.fct_patient_stays"
)


@pytest.mark.system
def test_a_later_event_updates_its_stay(dbt, tmp_path, admitted):
    asked = (*NO_TESTS, "+bed_uses", "+department_hours")
    first = build(dbt, tmp_path, *asked, a=admitted[:1])
    assert first.query(STAY) == [("ICU", "7", 25.0, None, 1)]
    then = build(dbt, tmp_path, *asked, b=admitted[1:2])
    assert then.query(STAY) == [("Surgery", "9", 25.0, None, 2)]
    last = build(dbt, tmp_path, c=admitted[2:])
    assert last.query(STAY) == [("Surgery", "9", 25.0, 23.5, 3)]
    assert last.query(
        "select bed_id, ended_at::varchar from core.bed_uses order by started_at"
    ) == [("7", "2025-03-01 12:00:00"), ("9", "2025-03-02 09:30:00")]
    [(n, n_admissions, n_discharges)] = last.query(
        "select count(*), sum(n_admissions), sum(n_discharges) from core.department_hours"
    )
    assert (n, n_admissions, n_discharges) == (24, 1, 1)


EVERYTHING = ("fct_patient_stays", "department_hours", "bed_uses", "dim_department")


@pytest.mark.system
def test_the_order_of_files_does_not_matter(dbt, tmp_path, admitted):
    others = [
        event("P2", "2025-03-01T11:00:00", "2025-03-01T15:00:00", age=130),
        event("P3", "2025-03-01T11:30:00", "2025-03-01T10:00:00"),
    ]
    parts = [[admitted[0], others[1]], [admitted[2]], [admitted[1], others[0], others[1]]]
    found = []
    for number, order in enumerate(itertools.islice(itertools.permutations(range(3)), 0, 6, 2)):
        files = {name: parts[place] for name, place in zip("abc", order, strict=True)}
        place = tmp_path / str(number)
        outcome = build(dbt, place, *NO_TESTS, *(f"+{table}" for table in EVERYTHING), **files)
        found.append([outcome.query(f"from core.{table} order by all") for table in EVERYTHING])
    assert len(found) == 3
    assert found[0][0]
    assert found[0] == found[1] == found[2]


@pytest.mark.system
def test_events_of_older_producers_are_told_apart_by_what_they_tell(dbt, tmp_path):
    old = [
        event("P1", discharged="2025-03-01T12:00:00"),
        event("P1", discharged="2025-03-01T12:00:00"),
        event("P1", discharged="2025-03-01T13:00:00"),
        event("P2", bed_id=None, hospital_id="5"),
        event("P3", admitted="later"),
        event(None),
        ["no", "object"],
    ]
    outcome = build(dbt, tmp_path, a=old)
    [counts] = outcome.query(
        "select n_raw, n_accepted, n_duplicates, n_rejected "
        "from quality.feed_reconciliation where area = 'patient_flow'"
    )
    assert counts == (7, 3, 1, 3)
    reasons = outcome.query("select reason from quality.quarantine order by all")
    assert [reason for (reason,) in reasons] == [
        "missing_patient_id", "unreadable_admission_time", "unreadable_line",
    ]  # fmt: skip
    assert outcome.query("select count(*) from core.fct_patient_stays") == [(2,)]


@pytest.mark.system
def test_an_admission_later_than_its_event_takes_part_in_no_figure_of_times(dbt, tmp_path):
    events = [
        event("P1", event_time="2025-03-01T10:00:00", event_id="E1"),
        event("P2", "2025-03-01T10:05:00", event_time="2025-03-01T10:00:00", event_id="E2"),
        event("P3", "2025-03-01T10:05:01", event_time="2025-03-01T10:00:00", event_id="E3"),
        event("P4", "2049-01-01T00:00:00", event_time="2025-03-01T10:00:00", event_id="E4"),
    ]
    outcome = build(dbt, tmp_path, a=events)
    assert outcome.query(
        "select patient_id, is_admission_credible from core.fct_patient_stays order by all"
    ) == [("P1", True), ("P2", True), ("P3", False), ("P4", False)]
    assert outcome.query("select count(*), sum(n_admissions) from core.department_hours") == [
        (1, 2)
    ]
    assert outcome.query(
        "select n_stays, n_admissions, n_admissions_not_credible from patient_flow.department_flow"
    ) == [(4, 2, 2)]


def invented(seed, planted, n_days=42):
    """Return events of six departments that differ in nothing but what is planted in the first.

    On random input arrivals are uniform over departments and hours; planted, the department Surgery
    takes twice the arrivals, mostly by day, waits double, and its stays are six times as long.
    """
    generator = np.random.default_rng(seed)
    names = ["Surgery", "ICU", "Maternity", "Oncology", "Cardiology", "Pediatrics"]
    n = 40 * n_days
    weights = [2, 1, 1, 1, 1, 1] if planted else [1] * 6
    department = generator.choice(names, n, p=np.array(weights) / sum(weights))
    is_surgery = (department == "Surgery") & planted
    hour = generator.uniform(0, 24, n)
    hour = np.where(is_surgery, 8 + hour / 3, hour)
    day = generator.integers(0, n_days, n)
    stay = generator.lognormal(2.5, 0.7, n) * np.where(is_surgery, 6, 1)
    wait = generator.lognormal(3, 0.6, n) * np.where(is_surgery, 2, 1)
    start = datetime(2025, 3, 3)
    events = []
    for number in np.argsort(day + hour / 24):
        arrived = start + timedelta(days=int(day[number]), hours=float(hour[number]))
        left = arrived + timedelta(hours=float(stay[number]))
        events.append(
            event(
                f"P{number}",
                arrived.isoformat(),
                left.isoformat() if left < start + timedelta(days=n_days) else None,
                department=str(department[number]),
                bed_id=int(number),
                hospital_id=1,
                wait_time_minutes=round(float(wait[number]), 2),
            )
        )
    return events


VERDICTS = "select insight, p_value, is_significant, statement from quality.insights"
INSIGHTS = {
    "demand_hour", "demand_weekday", "demand_trend", "department_admissions",
    "department_throughput", "department_stay", "department_wait", "staffing_shift",
    "department_wait_risk", "department_stay_risk",
}  # fmt: skip


@pytest.mark.parametrize(
    ("n_seeds", "most"), [(2, 5), pytest.param(6, 9, marks=pytest.mark.system)]
)
@pytest.mark.system
def test_on_random_events_no_insight_fires(dbt, built_elsewhere, tmp_path, n_seeds, most):
    """Of 20 or 60 tests at 5 % more than 5 or 9 have probability 0.1 % or less."""
    low, n_tests, fired = 0, 0, 0
    theirs = (*NO_TESTS, "+telehealth_insight_statistics", "+growth_insight_statistics")
    raw_dir = write(tmp_path, a=[event()])
    dbt = partial(dbt, start=built_elsewhere("elsewhere_judged", dbt, raw_dir, *theirs))
    ours = ("+patient_flow_insight_statistics", "insight_statistics", "insight_tests", "insights")
    for seed in range(n_seeds):
        place = tmp_path / str(seed)
        outcome = build(dbt, place, *NO_TESTS, *ours, a=invented(seed, False))
        rows = outcome.query(VERDICTS)
        assert {row[0] for row in rows} == INSIGHTS
        low += sum(row[1] < 0.05 for row in rows)
        fired += any(row[2] for row in rows)
        n_tests += len(rows)
    assert n_tests == 10 * n_seeds
    assert low <= most
    assert fired <= 2 * n_seeds / 6


@pytest.mark.system
def test_what_is_planted_is_found(dbt, tmp_path):
    outcome = build(dbt, tmp_path, a=invented(7, True))
    found = {row[0]: row for row in outcome.query(VERDICTS)}
    planted = INSIGHTS - {"demand_weekday", "demand_trend"}
    assert {name for name, row in found.items() if row[2]} == planted
    for name in planted - {"demand_hour", "staffing_shift"}:
        assert "Surgery of hospital 1" in found[name][3]
    assert "Day" in found["staffing_shift"][3]
    risks = dict(outcome.query(
        "select department, verdict from patient_flow.experience_risk "
        "where measure = 'length of stay'"
    ))  # fmt: skip
    assert risks["Surgery"] == "at risk"
    assert set(risks.values()) - {risks["Surgery"]} == {"within the target"}
    gaps = dict(outcome.query("select department, max(needed_staff_at_peak)::double "
                              "from patient_flow.staffing_alignment group by all"))  # fmt: skip
    assert max(gaps, key=gaps.get) == "Surgery"
