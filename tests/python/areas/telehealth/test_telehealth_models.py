"""Telehealth's models: they find what was planted, and say so where there is nothing."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import brier_score_loss, mean_absolute_error, roc_auc_score
from sklearn.preprocessing import StandardScaler
from wardhouse.areas.telehealth.dirt import TelehealthDirt
from wardhouse.areas.telehealth.duration import DURATION_LEVELS
from wardhouse.areas.telehealth.no_show import (
    NO_SHOW_LEVELS,
    NO_SHOW_NUMBERS,
    delong,
    fit_no_show,
)
from wardhouse.areas.telehealth.provider_match import Matching, variances
from wardhouse.areas.telehealth.sample import generate_telehealth
from wardhouse.areas.telehealth.sentiment import judge_sentiment, score_comments
from wardhouse.ml.tidy import split_day

RUN = (
    *("build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
    *("--select", "+path:models/ml", "+model_verdicts"),
)
BY_TIME = "order by appointment_date, scheduled_minute_of_day, appointment_id"
FITS = (
    *("appointment_no_show_fit", "appointment_duration_fit"),
    *("feedback_sentiment_fit", "provider_match_fit"),
)
SCORED = (
    *("appointment_no_show_risk", "appointment_duration_forecast"),
    *("feedback_sentiment", "provider_match"),
)


def is_loved(provider):
    """Plant: every third provider satisfies, whatever the specialty."""
    return provider % 3 == 0


def plant_providers(raw_dir):
    """Move the satisfaction of answers to what the provider is like; the sample plants none."""
    path = raw_dir / "telehealth" / "patient_feedback.csv"
    answers = pd.read_csv(path, dtype=str, keep_default_na=False)
    number = pd.to_numeric(answers["provider_id"].str.extract(r"(\d+)")[0], errors="coerce")
    rating = pd.to_numeric(answers["overall_satisfaction"], errors="coerce")
    moved = (rating + np.where(is_loved(number), 1, -1)).clip(1, 5)
    keep = moved.isna()
    answers["overall_satisfaction"] = answers["overall_satisfaction"].where(
        keep, moved.fillna(0).astype(int).astype(str)
    )
    answers.to_csv(path, index=False)


@pytest.fixture(scope="module")
def planted_raw(tmp_path_factory):
    raw_dir = tmp_path_factory.mktemp("planted_raw")
    generate_telehealth(
        raw_dir, 6000, dirt=TelehealthDirt().scaled(0), truth_dir=raw_dir.with_suffix(".truth")
    )
    plant_providers(raw_dir)
    return raw_dir


@pytest.fixture(scope="module")
def planted(dbt, planted_raw, tmp_path_factory):
    outcome = dbt(planted_raw, tmp_path_factory.mktemp("planted"), *RUN, areas="telehealth")
    assert outcome.success, outcome.message
    return outcome


@pytest.fixture(params=["planted", "real"])
def warehouse(request):
    return request.getfixturevalue(request.param)


def verdicts(outcome):
    return outcome.frame("from telehealth.model_verdicts").set_index("task")


def metrics(outcome, fit):
    return dict(outcome.query(f"select feature, value from ml.{fit} where component = 'metric'"))


# What they find


def test_everything_planted_is_found(planted):
    found = verdicts(planted)
    assert sorted(found.index) == sorted(SCORED)
    assert found["is_reliable"].all()
    assert (found["score_low"] > found["baseline_score"]).all()
    assert found.loc["appointment_no_show_risk", "verdict"] == "it can be told"


def test_the_risk_points_where_it_was_planted(planted):
    fit = planted.frame("from ml.appointment_no_show_fit where component = 'coefficient'")
    weight = fit.set_index(["feature", "level"])["value"]
    assert weight["insurance", "Uninsured"] > 0.1 > weight["insurance", "Insured"]
    assert weight["age_group"].idxmax() == "18-34"
    evening = weight["scheduled_hour"][["17", "18", "19"]].mean()
    assert evening > weight["scheduled_hour"].drop(["17", "18", "19"]).mean()
    assert fit[fit["feature"] == "n_prior_no_shows"]["value"].item() > 0.1


def test_the_risk_is_calibrated_and_close_to_the_planted_one(planted, planted_raw):
    truth = pd.read_csv(
        planted_raw.with_suffix(".truth") / "telehealth" / "accepted_appointments.csv"
    )
    risk = planted.frame("from ml.appointment_no_show_risk where is_held_out")
    both = risk.merge(truth, on="appointment_id", validate="one_to_one")
    assert len(both) == len(risk) > 1500
    assert both["no_show_probability"].corr(both["no_show_risk"]) > 0.6
    found = metrics(planted, "appointment_no_show_fit")
    assert found["mean_probability"] == pytest.approx(found["observed_rate"], abs=0.03)
    assert found["lift_top_decile"] > 1.5


def test_the_length_points_where_it_was_planted(planted, planted_raw):
    truth = pd.read_csv(
        planted_raw.with_suffix(".truth") / "telehealth" / "accepted_appointments.csv"
    )
    forecast = planted.frame("from ml.appointment_duration_forecast")
    both = forecast.merge(truth, on="appointment_id", validate="one_to_one")
    assert (both["forecast_minutes"] - both["expected_duration_minutes"]).abs().mean() < 1
    levels = planted.frame(
        "select feature, level, value from ml.appointment_duration_fit "
        "where component = 'coefficient'"
    ).set_index(["feature", "level"])["value"]
    assert levels["specialty"].idxmax() == "Psychiatry"
    assert levels["age_group"].idxmax() == "65+"
    assert levels["appointment_type"].idxmax() == "Initial Consultation"


def test_loved_providers_are_ranked_first(planted):
    rows = planted.query("select provider_id from ml.provider_match where match_rank = 1")
    loved = [is_loved(int("".join(filter(str.isdigit, provider)))) for (provider,) in rows]
    assert len(loved) > 20
    assert np.mean(loved) > 0.9


def test_moods_follow_the_planted_ratings(planted):
    means = dict(
        planted.query(
            "select sentiment, avg(overall_satisfaction) from ml.feedback_sentiment group by all"
        )
    )
    assert means["positive"] > means["neutral"] > means["negative"]
    assert None in means


def test_the_real_input_tells_nothing_in_advance_and_the_models_say_so(real):
    found = verdicts(real)
    assert dict(found["is_reliable"]) == {
        "appointment_no_show_risk": False,
        "appointment_duration_forecast": False,
        "feedback_sentiment": True,
        "provider_match": False,
    }
    risk = found.loc["appointment_no_show_risk"]
    assert risk["score_low"] < 0.5 < risk["score_high"]
    assert risk["score"] == pytest.approx(0.49, abs=0.02)
    assert risk["verdict"] == "it cannot be told beyond the base rate"
    length = metrics(real, "appointment_duration_fit")
    assert length["mae"] == pytest.approx(12.62, abs=0.05)
    assert length["mae_baseline"] == pytest.approx(12.61, abs=0.01)
    assert length["rmse_baseline"] == pytest.approx(14.67, abs=0.01)
    mood = found.loc["feedback_sentiment"]
    assert (mood["n_fitted"], round(mood["score"], 2)) == (988, 0.52)
    assert (
        real.query(
            "select specialty from ml.provider_match group by all "
            "having count(distinct match_score) > 1"
        )
        == []
    )


def test_what_is_not_reliable_is_not_acted_on(real):
    assert real.query(
        "select distinct expected_no_show_rate = base_rate from ml.appointment_no_show_risk"
    ) == [(True,)]
    assert real.query(
        "select distinct expected_minutes = type_mean_minutes from ml.appointment_duration_forecast"
    ) == [(True,)]


# SQL against scikit-learn


def design(rows, train, levels, numbers=()):
    """Make standardised dummies, independently of the package."""
    dummies = pd.get_dummies(train[list(levels)], prefix_sep="=").columns
    raw = pd.get_dummies(rows[list(levels)], prefix_sep="=").reindex(columns=dummies, fill_value=0)
    raw = raw.astype(float).assign(**{name: rows[name] for name in numbers})
    scaler = StandardScaler().fit(raw.loc[train.index])
    return scaler.transform(raw)


def test_every_probability_equals_scikit_learns(warehouse):
    rows = warehouse.frame(f"from ml.appointment_no_show_features {BY_TIME}")
    scored = warehouse.frame("from ml.appointment_no_show_risk").set_index("appointment_id")
    scored = scored.loc[rows["appointment_id"]].reset_index()
    train = rows[~scored["is_held_out"]]
    matrix = design(rows, train, NO_SHOW_LEVELS, NO_SHOW_NUMBERS)
    # Another solver than the package's.
    fit = LogisticRegression(C=0.1, solver="newton-cg", tol=1e-12, max_iter=1000)
    fit.fit(matrix[train.index], train["is_no_show"])
    calibration = dict(
        warehouse.query(
            "select feature, value from ml.appointment_no_show_fit where component = 'calibration'"
        )
    )
    log_odds = calibration["intercept"] + calibration["slope"] * fit.decision_function(matrix)
    expected = 1 / (1 + np.exp(-log_odds))
    assert scored["no_show_probability"].to_numpy() == pytest.approx(expected, abs=1e-9)
    held_out = scored[scored["is_held_out"]]
    found = metrics(warehouse, "appointment_no_show_fit")
    area = roc_auc_score(held_out["is_no_show"], held_out["no_show_probability"])
    brier = brier_score_loss(held_out["is_no_show"], held_out["no_show_probability"])
    assert (found["score"], found["brier"]) == pytest.approx((area, brier), abs=1e-9)
    assert len(train) == found["n_fitted"] < 0.7 * len(rows) + 1


def test_every_forecast_equals_scikit_learns(warehouse):
    rows = warehouse.frame(f"from ml.appointment_duration_features {BY_TIME}")
    scored = warehouse.frame("from ml.appointment_duration_forecast").set_index("appointment_id")
    scored = scored.loc[rows["appointment_id"]].reset_index()
    train = rows[~scored["is_held_out"] & rows["duration_minutes"].notna()]
    matrix = design(rows, train, DURATION_LEVELS)
    fit = Ridge(alpha=10, solver="svd").fit(matrix[train.index], train["duration_minutes"])
    assert scored["forecast_minutes"].to_numpy() == pytest.approx(fit.predict(matrix), abs=1e-9)
    held_out = scored[scored["is_held_out"] & scored["duration_minutes"].notna()]
    found = metrics(warehouse, "appointment_duration_fit")
    for name, forecast in (("mae", "forecast_minutes"), ("mae_baseline", "type_mean_minutes")):
        error = mean_absolute_error(held_out["duration_minutes"], held_out[forecast])
        assert found[name] == pytest.approx(error, abs=1e-9)


def test_contributions_add_up(planted):
    rows = planted.frame("from ml.appointment_no_show_risk")
    log_odds = np.log(rows["no_show_probability"] / (1 - rows["no_show_probability"]))
    rest = log_odds - rows.filter(like="contribution_").sum(axis=1)
    assert rest.to_numpy() == pytest.approx(np.full(len(rest), rest.iloc[0]), abs=1e-9)


def test_every_match_equals_the_one_in_python(warehouse):
    visits = warehouse.frame(
        "select * replace (overall_satisfaction::double as overall_satisfaction) "
        "from ml.provider_match_features where overall_satisfaction is not null"
    )
    matched = warehouse.frame("from ml.provider_match")
    expected = Matching.learn(visits).score(visits, matched)
    assert len(matched) > 100
    assert matched["match_score"].to_numpy() == pytest.approx(expected, abs=1e-9)


def test_every_fit_is_listed_once(warehouse):
    runs = warehouse.frame("from ml.model_runs").set_index("task")
    assert sorted(runs.index) == sorted(SCORED)
    assert dict(runs["is_reliable"]) == dict(verdicts(warehouse)["is_reliable"])
    for text in runs["metrics"]:
        assert json.loads(text)["n_fitted"] > 0


# No leakage, no chance


@pytest.mark.system
def test_the_future_changes_no_features(dbt, planted, planted_raw, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(planted_raw, raw)
    path = raw / "telehealth" / "appointment_logs.csv"
    visits = pd.read_csv(path, dtype=str, keep_default_na=False)
    cut = "2025-02-01"
    visits[visits["appointment_date"] < cut].to_csv(path, index=False)
    selection = ("--select", "+appointment_no_show_features")
    past = dbt(raw, tmp_path, *RUN[:5], *selection, areas="telehealth")
    assert past.success, past.message
    query = f"from ml.appointment_no_show_features where appointment_date < '{cut}' order by all"
    assert len(past.query(query)) > 1000
    assert past.query(query) == planted.query(query)


@pytest.mark.system
def test_the_order_of_rows_changes_nothing(dbt, planted, planted_raw, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(planted_raw, raw)
    for path in sorted((raw / "telehealth").glob("*.csv")):
        header, *lines = path.read_bytes().splitlines(keepends=True)
        random.Random(7).shuffle(lines)
        path.write_bytes(b"".join([header, *lines]))
    shuffled = dbt(raw, tmp_path, *RUN, areas="telehealth")
    assert shuffled.success, shuffled.message
    for table in (*FITS, *SCORED):
        before, after = (
            outcome.query(f"select * from ml.{table} order by all")
            for outcome in (planted, shuffled)
        )
        assert [repr(row) for row in before] == [repr(row) for row in after], table


# Too little to learn from

APPOINTMENT_COLUMNS = (
    "appointment_id,provider_id,patient_id,appointment_date,scheduled_time,appointment_type,"
    "status,wait_time_minutes,duration_minutes,device_type,operating_system,browser,"
    "connection_quality,had_technical_issues,technical_issue_type,timestamp"
)
FEEDBACK_COLUMNS = (
    "feedback_id,appointment_id,patient_id,provider_id,feedback_date,provider_rating,"
    "ease_of_use_rating,audio_quality_rating,video_quality_rating,overall_satisfaction,"
    "would_recommend,comments,timestamp"
)
PROVIDER_COLUMNS = (
    "provider_id,first_name,last_name,specialty,years_experience,state,hourly_rate,"
    "available_hours,active"
)


def raw_platform(place: Path, n: int) -> Path:
    """Write n completed visits, a day each, all alike, each with an answer without words."""
    folder = place / "raw" / "telehealth"
    folder.mkdir(parents=True)
    days = [f"2025-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(n)]
    visits = [
        f"A{i},D1,P{i % 5},{day},10:00:00,Follow-up,Completed,5,20,Tablet,iOS,Safari,Good,False,,"
        f"{day} 12:00:00"
        for i, day in enumerate(days)
    ]
    answers = [
        f"F{i},A{i},P{i % 5},D1,{day},4,4,4,4,4,True,,{day} 00:00:00" for i, day in enumerate(days)
    ]
    for name, header, lines in (
        ("appointment_logs", APPOINTMENT_COLUMNS, visits),
        ("patient_feedback", FEEDBACK_COLUMNS, answers),
        ("providers", PROVIDER_COLUMNS, ["D1,Ann,Lee,Urology,5,NY,100,30,True"]),
        ("patients", "patient_id,age,gender,has_insurance,registration_date", []),
    ):
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    return place / "raw"


@pytest.mark.system
def test_a_platform_with_one_outcome_and_no_comment_is_built(dbt, tmp_path):
    outcome = dbt(raw_platform(tmp_path, 100), tmp_path, *RUN, areas="telehealth")
    assert outcome.success, outcome.message
    found = verdicts(outcome)
    assert set(found.index) == set(SCORED) - {"feedback_sentiment"}
    assert not found["is_reliable"].any()
    assert outcome.query(
        "select no_show_probability, expected_no_show_rate, count(*) "
        "from ml.appointment_no_show_risk group by all"
    ) == [(None, 0.0, 100)]
    assert outcome.query(
        "select distinct expected_minutes from ml.appointment_duration_forecast"
    ) == [(20.0,)]
    assert outcome.query("select distinct match_score from ml.provider_match") == [(4.0,)]
    assert outcome.query("select distinct sentiment from ml.feedback_sentiment") == [(None,)]


@pytest.mark.system
def test_a_hospital_without_telehealth_has_empty_models(dbt, tmp_path, lab_raw_dir):
    outcome = dbt(lab_raw_dir, tmp_path, *RUN, areas="hospital")
    assert outcome.success, outcome.message
    assert [outcome.query(f"from ml.{table}") for table in SCORED] == [[]] * 4
    assert outcome.query("select task from ml.model_runs") == [("vip",)]
    assert verdicts(outcome).empty


# The functions


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=12),
    st.lists(st.integers(0, 5), min_size=2, max_size=12),
)
def test_delong_is_the_pairwise_definition(cases, others):
    cases, others = np.array(cases, float), np.array(others, float)
    wins = (cases[:, None] > others) + 0.5 * (cases[:, None] == others)
    variance = wins.mean(1).var(ddof=1) / len(cases) + wins.mean(0).var(ddof=1) / len(others)
    is_case = np.repeat([True, False], [len(cases), len(others)])
    area, error = delong(is_case, np.concatenate([cases, others]))
    assert area == pytest.approx(wins.mean(), abs=1e-12)
    assert error**2 == pytest.approx(variance, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=40), st.floats(0.05, 0.95))
def test_a_split_divides_no_day_and_learns_from_no_more_than_the_share(days, share):
    dates = pd.Series(pd.Timestamp("2025-01-01") + pd.to_timedelta(sorted(days), "D"))
    day = split_day(dates, share)
    assert (day is None) == (not days)
    if days:
        assert (dates < day).sum() <= share * len(dates)
        assert (dates == day).any()


def test_variances_find_what_was_drawn():
    generator = np.random.default_rng(1)
    inner = np.repeat(np.arange(400), 20)
    outer = inner // 40
    values = generator.normal(0, 1, 400)[inner] * 0.5 + outer + generator.normal(0, 1, len(inner))
    within, between = variances(values, inner, outer)
    assert within == pytest.approx(1, rel=0.05)
    assert between == pytest.approx(0.25, rel=0.2)
    assert np.isnan(variances(np.ones(3), np.arange(3), np.zeros(3, int))).all()


def noise(n, seed=3):
    """Features that tell nothing."""
    generator = np.random.default_rng(seed)
    words = {name: generator.choice(list("ab"), n) for name in NO_SHOW_LEVELS}
    counts = {name: generator.integers(0, 3, n) for name in NO_SHOW_NUMBERS}
    days = np.sort(generator.integers(0, 300, n))
    return pd.DataFrame(
        {
            "appointment_date": pd.Timestamp("2025-01-01") + pd.to_timedelta(days, "D"),
            "is_no_show": generator.random(n) < 0.2,
            **words,
            **counts,
        }
    )


def metric(fit, name):
    return fit.loc[fit["feature"] == name, "value"].item()


@pytest.mark.system
def test_noise_is_seldom_called_reliable():
    fits = [fit_no_show(noise(600, seed), 1, 0.7, 10_000) for seed in range(20)]
    assert sum(metric(fit, "is_reliable") for fit in fits) <= 2


def test_above_the_maximum_a_seeded_sample_is_fitted():
    first, again, other = (fit_no_show(noise(900), seed, 0.7, 200) for seed in (1, 1, 2))
    assert metric(first, "n_fitted") == 200
    pd.testing.assert_frame_equal(first, again)
    intercepts = [
        metric(fit[fit["component"] == "intercept"], "intercept") for fit in (first, other)
    ]
    assert intercepts[0] != intercepts[1]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_handful_of_rows_gives_no_coefficients(n):
    fit = fit_no_show(noise(n), 1, 0.7, 100)
    assert "coefficient" not in set(fit["component"])
    assert metric(fit, "is_reliable") == 0


def test_moods_all_alike_are_no_evidence():
    feedback = pd.DataFrame(
        {"overall_satisfaction": [1.0, 5.0] * 20, "sentiment_score": [0.3] * 40}
    )
    fit = judge_sentiment(feedback)
    assert "score" not in set(fit["feature"])
    assert metric(fit, "is_reliable") == 0


def test_equal_comments_are_scored_once_and_the_text_does_not_travel():
    comments = pd.DataFrame(
        {"comment_hash": ["a", "b"], "comment_text": ["Great doctor!", "Terrible, I hate it."]}
    )
    scored = score_comments(comments)
    assert list(scored.columns) == ["comment_hash", "sentiment_score"]
    assert scored["sentiment_score"][0] > 0.05 > -0.05 > scored["sentiment_score"][1]
