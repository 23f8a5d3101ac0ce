"""Telehealth on the real input: figures known from outside, and an independent recomputation."""

import itertools
import shutil
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from builds import shared_data
from scipy import stats

pytestmark = pytest.mark.long


def build(dbt, place, *arguments, **feeds):
    """Build telehealth on a raw directory whose feeds are the files or folders given."""
    folder = place / "raw" / "telehealth"
    folder.mkdir(parents=True)
    for feed, source in feeds.items():
        target = feed if source.is_dir() else f"{feed}.csv"
        (folder / target).symlink_to(source, target_is_directory=source.is_dir())
    outcome = dbt(place / "raw", place, "build", *arguments, areas="telehealth")
    assert outcome.success, outcome.message
    return outcome


@pytest.fixture(scope="module")
def documents(dbt, telemedicine, tmp_path_factory):
    """Return the warehouse built on the folder of JSON appointments, other feeds as CSV."""
    feeds = telemedicine | {"appointment_logs": shared_data("telemedicine") / "json_sample"}
    area = ("--selector", "telehealth")
    return build(dbt, tmp_path_factory.mktemp("documents"), *area, **feeds)


@pytest.fixture(scope="module")
def raw(telemedicine):
    """Return appointments and feedback as pandas reads them, each with what it refers to."""
    tables = {feed: pd.read_csv(path) for feed, path in telemedicine.items()}
    visits = tables["appointment_logs"].merge(tables["patients"], on="patient_id")
    visits["age_group"] = pd.cut(
        visits.age,
        [-1, 17, 34, 49, 64, 200],
        labels=["Under 18", "18-34", "35-49", "50-64", "65+"],
    ).astype(str)
    visits["day"] = pd.to_datetime(visits.appointment_date)
    feedback = tables["patient_feedback"].merge(
        tables["providers"][["provider_id", "specialty"]], on="provider_id"
    )
    return visits, feedback.merge(
        tables["appointment_logs"], on="appointment_id", suffixes=("", "_visit")
    )


def agree(found, expected, rounding=0.0):
    """Hold a column of a mart against its recomputation, unknown against unknown."""
    found, expected = found.astype(float), expected.reindex(found.index).astype(float)
    assert (found.isna() == expected.isna()).all()
    assert (found - expected).abs().max() <= rounding + 1e-9


def test_every_record_counts(real):
    rows = real.query(
        "select feed, n_raw, n_accepted, n_rejected, n_duplicates, n_repaired "
        "from quality.feed_reconciliation where area = 'telehealth' and n_files > 0 order by feed"
    )
    assert rows == [
        ("appointment_logs", 2000, 2000, 0, 0, 0),
        ("patient_feedback", 1497, 1497, 0, 0, 0),
        ("patients", 500, 500, 0, 0, 0),
        ("providers", 50, 50, 0, 0, 0),
    ]


def test_status_mix(real):
    rows = real.query(
        "select appointment_status, n_appointments, n_all_appointments, share_percent "
        "from telehealth.appointment_status_summary"
    )
    assert rows == [
        ("Completed", 1497, 2000, Decimal("74.9")),
        ("Cancelled", 204, 2000, Decimal("10.2")),
        ("Rescheduled", 202, 2000, Decimal("10.1")),
        ("No-show", 97, 2000, Decimal("4.9")),
    ]


def test_technical_issues_and_waits_by_device(real):
    rows = real.query(
        "select device_type, is_mobile, n_with_technical_issues, n_technical_issues_known, "
        "round(100 * technical_issue_rate, 2), avg_wait_minutes "
        "from telehealth.device_performance order by technical_issue_rate desc"
    )
    assert rows == [
        ("Tablet", True, 83, 487, 17.04, Decimal("14.94")),
        ("Mobile Phone", True, 84, 497, 16.90, Decimal("14.29")),
        ("Desktop", False, 85, 514, 16.54, Decimal("14.79")),
        ("Laptop", False, 82, 502, 16.33, Decimal("14.55")),
    ]
    [(issues, rate)] = real.query(
        "select n_technical_issues_known - n_appointments, round(100 - 100 * appointment_rate, 1) "
        "from telehealth.technical_issues where technical_issue_type = 'None'"
    )
    assert (issues, rate) == (334, 16.7)


def test_unknown_waits_stand_beside_the_mean_and_are_no_zeros(real):
    [(mean, known)] = real.query(
        "select round(avg(wait_minutes), 2), count(wait_minutes) from core.fct_appointments"
    )
    assert (mean, known) == (14.64, 1903)
    [(mobile, n_known, n_unknown)] = real.query(
        "select avg_wait_minutes, n_wait_known, n_wait_unknown "
        "from telehealth.device_performance where device_type = 'Mobile Phone'"
    )
    assert n_unknown == 24
    # What is quoted elsewhere is this mean with the unknown ones taken as zero.
    assert round(float(mobile) * n_known / (n_known + n_unknown), 2) == 13.60
    [(n_unknown, n_zero)] = real.query(
        "select count(*) - count(wait_minutes), count(*) filter (wait_minutes = 0) "
        "from core.fct_appointments where appointment_status = 'No-show'"
    )
    assert (n_unknown, n_zero) == (97, 0)


def test_waits_of_visits_called_off_stay_and_are_flagged(real):
    rows = real.query(
        "select appointment_status, count(*) from core.fct_appointments "
        "where is_wait_without_visit group by all order by all"
    )
    assert rows == [("Cancelled", 204), ("Rescheduled", 202)]


def test_best_rated_specialties(real):
    rows = real.query(
        "select specialty, n_feedback, avg_provider_rating, avg_overall_satisfaction "
        "from telehealth.specialty_satisfaction limit 3"
    )
    assert rows == [
        ("Cardiology", 69, Decimal("3.913"), Decimal("3.507")),
        ("Internal Medicine", 59, Decimal("3.610"), Decimal("3.424")),
        ("Family Medicine", 31, Decimal("3.774"), Decimal("3.355")),
    ]
    [(mean,)] = real.query("select avg(overall_satisfaction) from core.fct_appointment_feedback")
    assert round(mean, 4) == 3.2605


def test_insights_give_the_honest_verdicts(real):
    found = {
        insight: (statement, round(statistic + 1e-9, 3), degrees, verdict)
        for insight, statement, statistic, degrees, verdict in real.query(
            "select insight, statement, statistic, degrees_of_freedom, verdict "
            "from quality.insights"
        )
    }
    expected = {
        "status_mix": ("Most appointments are completed", 0.749, None, "a majority"),
        "device_technical_issues": (
            *("Tablet has the most technical issues", 0.114, 3, "devices do not differ"),
        ),
        "device_wait": ("Mobile Phone has the shortest wait", 0.479, 3, "devices do not differ"),
        "specialty_provider_rating": (
            *("Cardiology is the best-rated specialty", 2.623, None),
            "not distinguishable from the others",
        ),
        "specialty_satisfaction": (
            *("Specialties differ in overall satisfaction", 1.109, 11),
            "specialties do not differ",
        ),
        "connection_quality_satisfaction": (
            *("Connection quality goes with satisfaction", -0.014, 1495, "unrelated"),
        ),
        "technical_issues_satisfaction": (
            *("Technical issues go with satisfaction", -0.501, 1495, "related"),
        ),
    }
    assert found.items() >= expected.items()
    assert {found[other][3] for other in found.keys() - expected.keys()} == {
        "appointment types do not differ",
        "age groups do not differ",
        "insured and uninsured do not differ",
        "unrelated",
    }


def test_insights_equal_scipy_on_the_raw_records(real, raw):
    visits, feedback = raw
    tests = real.frame("from quality.insights").set_index("insight")

    def scores(column, by):
        return [group[column].dropna() for _, group in feedback.groupby(by)]

    cardiology = feedback.specialty == "Cardiology"
    best = stats.ttest_ind(
        feedback.provider_rating[cardiology],
        feedback.provider_rating[~cardiology],
        equal_var=False,
    )
    quality = feedback.connection_quality.map({"Excellent": 5, "Good": 4, "Fair": 3, "Poor": 2})
    held = visits[visits.status == "Completed"]
    missed = visits.status == "No-show"
    table = pd.crosstab(visits.device_type, visits.had_technical_issues)
    waits = [group.wait_time_minutes.dropna() for _, group in visits.groupby("device_type")]
    lengths = [group.duration_minutes for _, group in held.groupby("appointment_type")]
    expected = {
        "status_mix": (0.7485, stats.binomtest(1497, 2000, alternative="greater").pvalue),
        "device_technical_issues": stats.chi2_contingency(table)[:2],
        "age_group_no_show": stats.chi2_contingency(pd.crosstab(visits.age_group, missed))[:2],
        "insurance_no_show": stats.chi2_contingency(
            pd.crosstab(visits.has_insurance, missed), correction=False
        )[:2],
        "device_wait": stats.f_oneway(*waits),
        "appointment_type_duration": stats.f_oneway(*lengths),
        "specialty_satisfaction": stats.f_oneway(*scores("overall_satisfaction", "specialty")),
        "specialty_provider_rating": (best.statistic, min(1, 12 * best.pvalue)),
        "connection_quality_satisfaction": stats.pearsonr(quality, feedback.overall_satisfaction),
        "technical_issues_satisfaction": stats.pearsonr(
            feedback.had_technical_issues, feedback.overall_satisfaction
        ),
        "wait_satisfaction": stats.pearsonr(
            feedback.wait_time_minutes, feedback.overall_satisfaction
        ),
    }
    assert expected.keys() == set(tests.index)
    for insight, (statistic, p_value) in expected.items():
        assert tests.statistic[insight] == pytest.approx(statistic, rel=1e-7), insight
        assert tests.p_value[insight] == pytest.approx(p_value, rel=1e-6), insight


def test_wilson_intervals_are_those_of_scipy(real):
    for table, successes, n, rate in [
        ("appointment_status_summary", "n_appointments", "n_all_appointments", "share"),
        *(
            ("device_performance", f"n_{what}", f"n_{base}", name)
            for what, base, name in [
                (
                    *("with_technical_issues", "technical_issues_known"),
                    "technical_issue_rate",
                ),
                ("completed", "appointments", "completion_rate"),
            ]
        ),
        (
            *("specialty_satisfaction", "n_recommended", "n_recommendation_known"),
            "recommendation_rate",
        ),
        ("provider_scorecard", "n_no_show", "n_appointments", "no_show_rate"),
        ("daily_operations", "n_completed", "n_appointments", "completion_rate"),
    ]:
        rows = real.query(
            f"select {successes}, {n}, {rate}, {rate}_low, {rate}_high from telehealth.{table}"
        )
        for k, total, found, low, high in rows:
            if total == 0:
                assert (found, low, high) == (None, None, None)
                continue
            interval = stats.binomtest(k, total).proportion_ci(method="wilson")
            assert found == pytest.approx(k / total)
            assert (low, high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_device_performance_equals_an_independent_recomputation(real, raw):
    visits, feedback = raw
    found = real.frame("from telehealth.device_performance").set_index("device_type")
    by_device = visits.groupby("device_type")
    assert len(found) == 4
    agree(found.n_appointments, by_device.size())
    agree(
        found.completion_rate, by_device.status.agg(lambda status: (status == "Completed").mean())
    )
    agree(found.avg_wait_minutes, by_device.wait_time_minutes.mean(), 0.005)
    agree(found.n_wait_unknown, by_device.wait_time_minutes.agg(lambda wait: wait.isna().sum()))
    satisfaction = feedback.groupby("device_type").overall_satisfaction
    agree(found.n_feedback, satisfaction.size())
    agree(found.avg_overall_satisfaction, satisfaction.mean(), 0.0005)


def test_specialty_satisfaction_equals_an_independent_recomputation(real, raw):
    _, feedback = raw
    found = real.frame("from telehealth.specialty_satisfaction").set_index("specialty")
    answers = feedback.groupby("specialty")
    assert len(found) == 12
    agree(found.n_feedback, answers.size())
    agree(found.n_providers, answers.provider_id.nunique())
    agree(found.avg_provider_rating, answers.provider_rating.mean(), 0.0005)
    agree(found.avg_overall_satisfaction, answers.overall_satisfaction.mean(), 0.0005)
    agree(found.satisfaction_standard_error, answers.overall_satisfaction.sem(), 0.00005)
    agree(found.recommendation_rate, answers.would_recommend.mean())


def test_provider_scorecard_equals_an_independent_recomputation(real, raw):
    visits, feedback = raw
    found = real.frame("from telehealth.provider_scorecard").set_index("provider_id")
    by_provider = visits.groupby("provider_id")
    assert len(found) == 50
    agree(found.n_appointments, by_provider.size())
    agree(found.n_patients, by_provider.patient_id.nunique())
    for column, status in [
        ("n_completed", "Completed"),
        ("n_cancelled", "Cancelled"),
        ("n_rescheduled", "Rescheduled"),
        ("n_no_show", "No-show"),
    ]:
        agree(found[column], by_provider.status.agg(lambda found, s=status: (found == s).sum()))
    agree(found.technical_issue_rate, by_provider.had_technical_issues.mean())
    agree(found.avg_duration_minutes, by_provider.duration_minutes.mean(), 0.005)
    answers = feedback.groupby("provider_id")
    agree(found.avg_provider_rating, answers.provider_rating.mean(), 0.0005)
    agree(found.avg_overall_satisfaction, answers.overall_satisfaction.mean(), 0.0005)


def test_other_marts_equal_an_independent_recomputation(real, raw):
    visits, feedback = raw
    for table, key, by in [
        ("connection_quality_satisfaction", "connection_quality", "connection_quality"),
        ("technical_issues", "technical_issue_type", "technical_issue_type"),
    ]:
        found = real.frame(f"from telehealth.{table}").set_index(key)
        groups, answers = visits[by].fillna("None"), feedback[by].fillna("None")
        agree(found.n_appointments, visits.groupby(groups).size())
        means = feedback.groupby(answers).overall_satisfaction.mean()
        agree(found.avg_overall_satisfaction, means, 0.0005)
        assert found.n_appointments.sum() == 2000
    found = real.frame("from telehealth.appointment_type_duration").set_index("appointment_type")
    lengths = visits.groupby("appointment_type").duration_minutes
    agree(found.n_duration_known, lengths.count())
    agree(found.avg_duration_minutes, lengths.mean(), 0.005)
    agree(found.median_duration_minutes, lengths.median(), 0.005)
    found = real.frame("from telehealth.patient_age_groups").set_index("age_group")
    assert list(found.index) == ["18-34", "35-49", "50-64", "65+"]
    assert found.n_patients.sum() == 500
    agree(found.n_appointments, visits.groupby("age_group").size())
    missed = (visits.status == "No-show").groupby(visits.age_group).mean()
    agree(found.no_show_rate, missed)


def test_daily_operations_hold_every_day(real, raw):
    visits, feedback = raw
    found = real.frame("from telehealth.daily_operations").set_index("date_day")
    days = pd.date_range(visits.day.min(), visits.day.max())
    assert list(found.index) == list(days)
    by_day = visits.groupby("day")
    agree(found.n_appointments, by_day.size().reindex(days, fill_value=0))
    agree(found.avg_wait_minutes, by_day.wait_time_minutes.mean().reindex(days), 0.005)
    scale = {"Excellent": 5, "Good": 4, "Fair": 3, "Poor": 2}
    quality = visits.connection_quality.map(scale).groupby(visits.day).mean()
    agree(found.avg_connection_quality_score, quality.reindex(days), 0.0005)
    given = pd.to_datetime(feedback.feedback_date).value_counts()
    agree(found.n_feedback, given.reindex(days, fill_value=0))
    assert (found.n_appointments == 0).any()
    week = found.n_appointments.tail(8).tolist()
    assert week == [4, 3, 2, 6, 2, 4, 4, 5]


def test_patient_journeys_equal_an_independent_recomputation(real, raw):
    visits, _ = raw
    found = real.frame("from telehealth.patient_journey").set_index("patient_id")
    assert len(found) == visits.patient_id.nunique() == 494
    ordered = visits.sort_values(["day", "scheduled_time", "appointment_id"])
    for patient, rows in itertools.islice(ordered.groupby("patient_id"), 0, None, 7):
        journey = found.loc[patient]
        done = (rows.status == "Completed").to_numpy()
        gaps = rows.day.diff().dt.days.dropna()
        assert journey.n_appointments == len(rows)
        assert journey.n_rebookings == (~done[:-1]).sum()
        assert journey.first_appointment_date == rows.day.iloc[0]
        assert journey.last_appointment_status == rows.status.iloc[-1]
        if len(gaps):
            assert float(journey.avg_gap_days) == pytest.approx(gaps.mean(), abs=0.005 + 1e-9)
            assert journey.longest_gap_days == gaps.max()


@pytest.mark.system
def test_json_documents_load_with_nan_as_null_and_no_row_lost(documents):
    [row] = documents.query(
        "select n_files, n_raw, n_accepted, n_rejected, n_duplicates, n_repaired "
        "from quality.feed_reconciliation "
        "where area = 'telehealth' and feed = 'appointment_logs'"
    )
    assert row == (120, 120, 120, 0, 0, 0)
    [(n, waits, durations, either)] = documents.query(
        "select count(*), count(*) filter (wait_minutes is null), "
        "count(*) filter (duration_minutes is null), "
        "count(*) filter (wait_minutes is null or duration_minutes is null) "
        "from core.fct_appointments"
    )
    assert (n, waits, durations, either) == (120, 8, 26, 26)


@pytest.mark.system
def test_json_documents_tell_what_the_csv_tells(documents, real):
    query = """
        select appointment_id, appointment_date, scheduled_minute_of_day, appointment_status,
            wait_minutes, duration_minutes, device_type, connection_quality, has_technical_issues,
            technical_issue_type, recorded_at
        from core.fct_appointments order by appointment_id
    """
    told = documents.query(query)
    assert set(told) <= set(real.query(query))
    [(orphans, n)] = documents.query(
        "select count(*) filter (not has_appointment), count(*) from core.fct_appointment_feedback"
    )
    completed = sum(row[3] == "Completed" for row in told)
    assert (orphans, n) == (1497 - completed, 1497)


def test_providers_and_patients_join_the_conformed_dimensions(real):
    assert real.query(
        "select assigning_authority, count(*), count(*) filter (is_inferred), "
        "count(*) filter (is_active) from core.dim_provider group by all"
    ) == [("telehealth", 50, 0, 45)]
    assert real.query(
        "select assigning_authority, count(*), count(*) filter (is_inferred), min(age) "
        "from core.dim_patient group by all"
    ) == [("telehealth", 500, 0, 18)]
    [(group,)] = real.query("select distinct age_group from core.dim_patient where age = 18")
    assert group == "18-34"


HEAD = (
    "appointment_id,provider_id,patient_id,appointment_date,scheduled_time,appointment_type,status,"
    "wait_time_minutes,duration_minutes,device_type,connection_quality,had_technical_issues,"
    "timestamp\n"
)
VISIT = "{id},D1,P1,2025-01-31,11:30,Follow-up,{status},{wait},{length},Tablet,Good,no,{when}\n"
FEEDBACK_HEAD = (
    "feedback_id,appointment_id,patient_id,provider_id,feedback_date,provider_rating,"
    "overall_satisfaction,timestamp\n"
)


def write_feeds(folder, visits, patients="P1,40,Female,yes,2024-01-01\n", hours=30):
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(
        VISIT.format(id=i, status=s, wait=w, length=n, when=f"2025-01-31 {t}")
        for i, s, w, n, t in visits
    )
    (folder / "appointment_logs.csv").write_text(HEAD + lines)
    (folder / "patient_feedback.csv").write_text(FEEDBACK_HEAD)
    (folder / "patients.csv").write_text(
        f"patient_id,age,gender,has_insurance,registration_date\n{patients}"
    )
    (folder / "providers.csv").write_text(
        "provider_id,first_name,last_name,specialty,available_hours\n"
        f"D1,Provider,0001,Urology,{hours}\n"
    )


@pytest.fixture
def small(dbt, tmp_path):
    """Return a function that builds the core of telehealth on a few appointments."""

    def run(*arguments, **feeds):
        write_feeds(tmp_path / "raw" / "telehealth", **feeds)
        outcome = dbt(
            *(tmp_path / "raw", tmp_path, "run" if not arguments else arguments[0]),
            *(arguments[1:] or ("--select", "+fct_appointments")),
            areas="telehealth",
        )
        assert outcome.success, outcome.message
        return outcome

    return run


def run_seeds(dbt, place):
    outcome = dbt(place / "raw", place, "seed", areas="telehealth")
    assert outcome.success, outcome.message


def test_the_newest_record_of_an_appointment_stands(dbt, tmp_path, small):
    visits = [
        # Newest in the middle of the file.
        ("A1", "Rescheduled", "", "", "08:00:00"),
        ("A1", "Completed", "5", "20", "12:00:00"),
        ("A1", "Rescheduled", "", "", "10:00:00"),
        # The same content twice, and twice the newest.
        ("A2", "Cancelled", "", "", "08:00:00"),
        ("A2", "Cancelled", "", "", "08:00:00"),
        # Two are equally new and say different things: nobody can tell.
        ("A3", "Cancelled", "", "", "09:00:00"),
        ("A3", "No-show", "", "", "09:00:00"),
        ("A3", "Rescheduled", "", "", "08:00:00"),
        # The newest is refused: it is no visit without a wait.
        ("A4", "Cancelled", "", "", "08:00:00"),
        ("A4", "Completed", "", "20", "12:00:00"),
        # Two older ones are equally new; the newest decides.
        ("A5", "Cancelled", "", "", "08:00:00"),
        ("A5", "No-show", "", "", "08:00:00"),
        ("A5", "Rescheduled", "", "", "09:00:00"),
    ]
    write_feeds(tmp_path / "raw" / "telehealth", visits)
    run_seeds(dbt, tmp_path)
    outcome = small(visits=visits)
    assert outcome.query(
        "select appointment_id, appointment_status from core.fct_appointments order by all"
    ) == [("A1", "Completed"), ("A2", "Cancelled"), ("A4", "Cancelled"), ("A5", "Rescheduled")]
    assert outcome.query(
        "select appointment_id, count(*) filter (is_duplicate), "
        "count(*) filter (rejection_reason = 'conflicting_appointment_id') "
        "from staging.base_telehealth__appointment_logs group by all order by all"
    ) == [("A1", 2, 0), ("A2", 1, 0), ("A3", 0, 3), ("A4", 0, 0), ("A5", 2, 0)]


@pytest.mark.system
def test_a_later_build_follows_what_is_told_again(dbt, tmp_path, small):
    first = [("A1", "Rescheduled", "", "", "08:00:00"), ("A2", "No-show", "", "", "08:00:00")]
    write_feeds(tmp_path / "raw" / "telehealth", first)
    run_seeds(dbt, tmp_path)
    small(visits=first)
    outcome = small(visits=[*first, ("A1", "Completed", "5", "20", "12:00:00")])
    rows = "select appointment_id, appointment_status, wait_minutes from core.fct_appointments"
    assert sorted(outcome.query(rows)) == [
        ("A1", "Completed", Decimal("5.00")),
        ("A2", "No-show", None),
    ]


def test_a_changed_spelling_is_read_again(dbt, manifest, tmp_path, small):
    """Base models remember what their seeds held, so a new spelling reaches old files."""
    seeds = {
        node
        for base in manifest.nodes.values()
        if base.name == "base_telehealth__appointment_logs"
        for node in base.depends_on.nodes
        if node.startswith("seed.")
    }
    assert {seed.split(".")[-1] for seed in seeds} == {
        *("appointment_statuses", "appointment_types", "connection_qualities", "device_types")
    }


@pytest.mark.system
def test_history_keeps_the_versions_that_builds_saw(dbt, tmp_path, small):
    visits = [("A1", "No-show", "", "", "08:00:00")]
    select = ("build", "--select", "+dim_patient_history", "+dim_provider_history")
    two = "P1,40,Female,yes,2024-01-01\nP2,17,Male,no,2024-01-01\n"
    small(*select, visits=visits, patients=two)
    small(*select, visits=visits, patients=two)
    outcome = small(*select, visits=visits, patients="P1,41,Female,yes,2024-01-01\n", hours=20)
    assert outcome.query(
        "select patient_id, version_number, age, is_current, valid_to > valid_from "
        "from core.dim_patient_history order by all"
    ) == [("P1", 1, 40, False, True), ("P1", 2, 41, True, None), ("P2", 1, 17, False, True)]
    versions = outcome.query(
        "select version_number, available_hours, is_current, valid_from, valid_to "
        "from core.dim_provider_history order by all"
    )
    assert [row[:3] for row in versions] == [(1, 30, False), (2, 20, True)]
    assert versions[0][4] == versions[1][3]


@pytest.mark.system
def test_rejections_name_their_field_whatever_the_format(dbt, telehealth_raw, tmp_path):
    """A document without a field is as a record with a blank one."""
    place = tmp_path / "raw" / "telehealth"
    shutil.copytree(telehealth_raw / "telehealth", place, symlinks=True)
    (place / "appointment_logs.csv").unlink()
    shutil.copytree(shared_data("telemedicine") / "json_sample", place / "appointment_logs")
    documents = sorted((place / "appointment_logs").iterdir())
    text = documents[0].read_text()
    documents[0].write_text(text.replace('"patient_id": "PAT', '"subject": "PAT'))
    documents[1].write_text(documents[1].read_text()[:-20])
    arguments = ("build", "--select", "+quarantine", "--exclude", "test_type:unit")
    outcome = dbt(tmp_path / "raw", tmp_path, *arguments, areas="telehealth")
    assert outcome.success, outcome.message
    reasons = outcome.query("select reason, source_file from quality.quarantine order by all")
    assert len(reasons) == 2
    assert any(reason == "missing_patient_id" for reason, _ in reasons)
    assert {name.split("/")[-1] for _, name in reasons} == {path.name for path in documents[:2]}


def test_planted_insights_all_fire(sample):
    rows = sample.query(
        "select insight, statement, is_significant from quality.insights where area = 'telehealth'"
    )
    assert [insight for insight, _, fires in rows if not fires] == []
    assert len(rows) == 11
    statements = {statement for _, statement, _ in rows}
    assert statements >= {
        "Tablet has the most technical issues",
        "Desktop has the shortest wait",
        "Dermatology is the best-rated specialty",
        "Patients of age 18-34 miss most appointments",
        "Uninsured patients miss more appointments",
    }


def test_insights_of_the_recorded_stream_find_what_was_planted_and_no_trend(sample):
    """Here, for another file would build the sample once more."""
    rows = sample.query(
        "select insight, statement from quality.insights "
        "where area = 'patient_flow' and is_significant"
    )
    statements = dict(rows)
    assert "demand_trend" not in statements
    assert statements.keys() >= {"demand_hour", "staffing_shift", "department_admissions"}
    for insight in ("department_wait", "department_wait_risk"):
        assert "Oncology" in statements[insight]


def test_marts_find_what_was_planted(sample):
    [(specialty,)] = sample.query(
        "select specialty from telehealth.specialty_satisfaction where n_feedback >= 20 "
        "order by avg_overall_satisfaction desc limit 1"
    )
    assert specialty == "Dermatology"
    rows = sample.query(
        "select has_technical_issues, sum(avg_overall_satisfaction * n_feedback) "
        "/ sum(n_feedback) from telehealth.technical_issues group by all order by all"
    )
    assert float(rows[0][1]) - float(rows[1][1]) > 1
    durations = [
        minutes
        for _, minutes in sample.query(
            "select appointment_type, avg_duration_minutes "
            "from telehealth.appointment_type_duration"
        )
    ]
    assert np.ptp(np.array(durations, float)) > 15


def random_platform(folder, n=1200, seed=11):
    """Write a platform on which nothing hangs on anything else."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(generator.integers(0, 90, n), "D")
    trouble = generator.random(n) < 0.3
    visits = pd.DataFrame(
        {
            "appointment_id": [f"A{i}" for i in range(n)],
            "provider_id": [f"V{i}" for i in generator.integers(0, 40, n)],
            "patient_id": [f"P{i}" for i in generator.integers(0, 300, n)],
            "appointment_date": days.strftime("%Y-%m-%d"),
            "scheduled_time": "10:00:00",
            "appointment_type": generator.choice(["Urgent Care", "Follow-up"], n),
            "status": generator.choice(["Completed", "Cancelled", "Rescheduled", "No-show"], n),
            "wait_time_minutes": generator.integers(1, 30, n),
            "duration_minutes": generator.integers(10, 60, n),
            "device_type": generator.choice(["Tablet", "Desktop", "Laptop"], n),
            "connection_quality": generator.choice(["Excellent", "Good", "Fair", "Poor"], n),
            "had_technical_issues": trouble,
            "technical_issue_type": np.where(trouble, "Audio", ""),
            "timestamp": days.strftime("%Y-%m-%d 12:00:00"),
        }
    )
    visits.to_csv(folder / "appointment_logs.csv", index=False)
    feedback = visits[["appointment_id", "patient_id", "provider_id"]].assign(
        feedback_id=[f"F{i}" for i in range(n)],
        feedback_date=visits.appointment_date,
        provider_rating=generator.integers(1, 6, n),
        overall_satisfaction=generator.integers(1, 6, n),
        timestamp=visits.timestamp,
    )
    feedback.to_csv(folder / "patient_feedback.csv", index=False)
    specialties = generator.choice(["Cardiology", "Urology", "Dermatology"], 40)
    pd.DataFrame(
        {
            "provider_id": [f"V{i}" for i in range(40)],
            "first_name": "Provider",
            "last_name": [f"{i:04}" for i in range(40)],
            "specialty": specialties,
        }
    ).to_csv(folder / "providers.csv", index=False)
    pd.DataFrame(
        {
            "patient_id": [f"P{i}" for i in range(300)],
            "age": generator.integers(5, 90, 300),
            "gender": "Other",
            "has_insurance": generator.random(300) < 0.5,
            "registration_date": "2024-01-01",
        }
    ).to_csv(folder / "patients.csv", index=False)


@pytest.mark.system
def test_where_nothing_hangs_on_anything_no_insight_fires(dbt, tmp_path):
    random_platform(tmp_path / "raw" / "telehealth")
    outcome = dbt(
        *(tmp_path / "raw", tmp_path, "build", "--select", "+insights"),
        *("--exclude-resource-types", "test", "unit_test"),
        areas="telehealth",
    )
    assert outcome.success, outcome.message
    for fact in ("fct_appointments", "fct_appointment_feedback"):
        assert outcome.query(f"select count(*) from core.{fact}") == [(1200,)]
    rows = outcome.query("select insight, is_significant from quality.insights")
    assert len(rows) == 11
    assert [insight for insight, fires in rows if fires] == []
