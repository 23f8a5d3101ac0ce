"""Engagement's sample: the same bytes every time, every kind of dirt, and truth that holds."""

import time
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from builds import PROJECT
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner
from wardhouse import cli
from wardhouse.areas.engagement.dirt import FEED, KINDS, EngagementDirt
from wardhouse.areas.engagement.sample import generate_engagement
from wardhouse.synthetic import writer

CLEAN = EngagementDirt().scaled(0)
RANGES = {
    "satisfaction_score": (1, 10),
    "engagement_level": (0, 100),
    "procedure_frequency": (0, 400),
    "referral_rate": (0, 1000),
    "technology_adoption": (0, 10),
}
FEATURES = list(RANGES)
LETTERS = {"patient": "EP", "physician": "ED"}


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def texts(summary):
    return pd.read_csv(summary.raw_dir / f"{FEED}.csv", dtype=str, keep_default_na=False)


def records(summary):
    """Read the records that are accepted, features beyond their range as missing."""
    rows = texts(summary)
    for feature, (low, high) in RANGES.items():
        values = pd.to_numeric(rows[feature], errors="coerce")
        rows[feature] = values.where(values.between(low, high))
    rows["as_of_date"] = pd.to_datetime(rows.as_of_date, format="mixed", errors="coerce")
    rows = rows[(rows.person_id != "") & rows.as_of_date.notna() & ~is_stranger(rows)]
    return rows.drop_duplicates(["person_id", "as_of_date"], keep="last")


def is_stranger(rows):
    return rows.person_type.isin(["visitor", "vendor"])


def persons(summary):
    """Read the truth: the group of each person on each date."""
    rows = pd.read_csv(
        summary.truth_dir / "persons.csv", dtype=str, keep_default_na=False, index_col="person_id"
    )
    groups = rows.filter(like="group_").rename(columns=lambda name: name.removeprefix("group_"))
    return rows, groups.replace("", np.nan)


def newest(summary, person_type):
    """Give the newest features of those of a type, cleaned, and their planted groups."""
    rows = records(summary).sort_values("as_of_date").groupby("person_id").tail(1)
    rows = rows[rows.person_id.str.startswith(LETTERS[person_type])]
    _, groups = persons(summary)
    planted = groups.ffill(axis=1).iloc[:, -1].loc[rows.person_id]
    values = rows[FEATURES]
    low, high = values.quantile(0.25), values.quantile(0.75)
    fence = 1.5 * (high - low)
    values = values.fillna(values.median()).clip(low - fence, high + fence, axis=1)
    return values, planted.to_numpy()


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    return generate_engagement(tmp_path_factory.mktemp("default"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return generate_engagement(tmp_path_factory.mktemp("clean"), 3000, seed=5, dirt=CLEAN)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    return generate_engagement(tmp_path_factory.mktemp("cloud"), groups=0)


def test_shipped_sample_is_what_the_generator_writes(default):
    assert files(PROJECT / "seeds/sample/engagement") == files(default.raw_dir)
    assert files(PROJECT / "tests/truth/engagement") == files(default.truth_dir)
    assert sum(map(len, files(default.raw_dir).values())) < 350_000


def test_blocks_do_not_change_a_byte(default, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "BLOCK_RECORDS", 197)
    again = generate_engagement(tmp_path)
    assert files(again.raw_dir) == files(default.raw_dir)
    assert files(again.truth_dir) == files(default.truth_dir)


def test_another_seed_is_another_sample(default, tmp_path):
    ours, other = files(default.raw_dir), files(generate_engagement(tmp_path, seed=1).raw_dir)
    assert ours.keys() == other.keys()
    assert all(other[name] != ours[name] for name in ours)


def beyond(feature):
    """Return what finds numbers outside a feature's range."""
    low, high = RANGES[feature]
    return lambda rows: (
        ~pd.to_numeric(rows[feature], errors="coerce").fillna(low).between(low, high)
    )


ISO_DAY, IMPOSSIBLE = r"\d{4}-\d\d-\d\d", r"\d{4}-02-30"
# How each kind shows in the rows of the feed, all text.
LOOKS = {
    "person_missing": lambda rows: rows.person_id == "",
    "type_unknown": is_stranger,
    "type_blank": lambda rows: rows.person_type == "",
    "type_spelling": lambda rows: (
        ~rows.person_type.isin(["", "patient", "physician", "visitor", "vendor"])
    ),
    "as_of_unreadable": lambda rows: rows.as_of_date.str.fullmatch(IMPOSSIBLE),
    "as_of_slashes": lambda rows: rows.as_of_date.str.fullmatch(r"\d{4}/\d\d/\d\d"),
    "as_of_month_name": lambda rows: rows.as_of_date.str.fullmatch(r"[A-Z][a-z]{2} \d+, \d{4}"),
    "satisfaction_blank": lambda rows: rows.satisfaction_score == "",
    "engagement_blank engagement_blank_at_low_adoption": lambda rows: rows.engagement_level == "",
    "procedures_and_referrals_blank": lambda rows: (
        (rows.procedure_frequency == "") & (rows.referral_rate == "")
    ),
    "satisfaction_beyond": beyond("satisfaction_score"),
    "satisfaction_unreadable": lambda rows: rows.satisfaction_score == "very good",
    "engagement_beyond": beyond("engagement_level"),
    "adoption_beyond": beyond("technology_adoption"),
    "procedures_outlier": lambda rows: rows.procedure_frequency.replace("", "0").astype(int) >= 350,
    "referrals_outlier": lambda rows: rows.referral_rate.replace("", "0").astype(float) >= 80,
    "first_seen_unreadable": lambda rows: rows.first_seen_date.str.fullmatch(IMPOSSIBLE),
    "left_before_first_seen": lambda rows: (
        rows.left_date.ne("") & (rows.left_date < rows.first_seen_date)
    ),
    "value_blank": lambda rows: rows.annual_value == "",
    "value_currency": lambda rows: rows.annual_value.str.startswith("$"),
    "value_thousands": lambda rows: rows.annual_value.str.contains(","),
    "value_negative": lambda rows: rows.annual_value.str.startswith("-"),
    "consent_spelling": lambda rows: ~rows.marketing_consent.isin(["", "yes", "no", "ask again"]),
    "consent_unreadable": lambda rows: rows.marketing_consent == "ask again",
    "duplicate_exact": lambda rows: rows.duplicated(),
    "record_changed": lambda rows: (
        rows.duplicated(["person_id", "as_of_date"]) & ~rows.duplicated() & rows.person_id.ne("")
    ),
}


def test_every_kind_of_dirt_has_a_look():
    assert {kind for kinds in LOOKS for kind in kinds.split()} == KINDS.keys()


@pytest.mark.parametrize("kinds", LOOKS)
def test_every_kind_of_dirt_shows_in_the_shipped_sample(default, kinds):
    shown = LOOKS[kinds](texts(default)).sum()
    assert shown == sum(default.dirt[kind] for kind in kinds.split()) > 0


def test_no_dirt_is_clean(clean):
    assert clean.dirt == {}
    assert all(feed.n_raw == feed.n_accepted for feed in clean.feeds.values())
    rows = texts(clean)
    assert rows.drop(columns=["left_date", "marketing_consent"]).ne("").all(axis=None)
    assert set(rows.person_type) == set(LETTERS)
    assert not rows.duplicated(["person_id", "as_of_date"]).any()


@pytest.mark.parametrize("people", [1, 2, 7])
def test_tiny_samples_without_dirt_can_be(tmp_path, people):
    tiny = generate_engagement(tmp_path, people, dirt=CLEAN)
    assert texts(tiny).person_id.nunique() == people


@pytest.mark.parametrize(("people", "groups", "said"), [(0, 5, "at least 1"), (9, 3, "give 5, or")])
def test_what_cannot_be_is_refused(tmp_path, people, groups, said):
    with pytest.raises(ValueError, match=said):
        generate_engagement(tmp_path, people, groups)


def test_files_are_of_the_people_in_the_truth(clean):
    rows = records(clean)
    truth, groups = persons(clean)
    present = groups.stack().dropna().index
    told = pd.MultiIndex.from_arrays([rows.person_id, rows.as_of_date.astype(str)])
    assert set(told) == set(present)
    left = rows[rows.left_date != ""].set_index("person_id").left_date
    assert (truth.left_date[left.index] == left).all()
    # Of some who leave, nobody says so.
    assert 0.7 < len(left) / (truth.left_date != "").sum() < 0.9
    is_gone = groups["2025-06-30"].isna()
    assert (truth.left_date.ne("") == is_gone).all()


@pytest.mark.parametrize("person_type", LETTERS)
def test_planted_groups_are_found_through_the_dirt(default, person_type):
    values, planted = newest(default, person_type)
    scaled = StandardScaler().fit_transform(values)
    fits = {k: KMeans(k, n_init=4, random_state=42).fit(scaled) for k in range(2, 9)}
    smallest = max(11, 0.02 * len(values))
    scores = {
        k: silhouette_score(scaled, fit.labels_)
        for k, fit in fits.items()
        if np.bincount(fit.labels_).min() >= smallest
    }
    assert max(scores, key=scores.get) == 5
    assert scores[5] > 0.5
    assert adjusted_rand_score(planted, fits[5].labels_) > 0.9


@pytest.mark.parametrize("person_type", LETTERS)
def test_groups_are_what_their_names_say(default, person_type):
    values, planted = newest(default, person_type)
    centres = values.groupby(planted).mean()
    loved = (centres.satisfaction_score > 8) & (centres.engagement_level > 70)
    busy = (centres.procedure_frequency > 50) & (centres.technology_adoption > 7)
    lost = (centres.satisfaction_score < 6) | (centres.engagement_level < 30)
    assert list(centres.index[loved]) == ["Champions"]
    assert list(centres.index[busy & ~loved]) == ["High-Volume Adopters"]
    assert list(centres.index[lost & ~loved & ~busy]) == ["At-Risk"]
    adoption = centres.technology_adoption
    assert adoption["Moderate: digital"] - adoption["Moderate: traditional"] > 5


def test_some_change_group_for_good_and_many_of_them_get_to_risk(clean):
    _, groups = persons(clean)
    moves = [
        (before, after, quarter)
        for row in groups.to_numpy()
        for quarter, (before, after) in enumerate(pairwise(row))
        if isinstance(before, str) and isinstance(after, str) and before != after
    ]
    # In the last quarter one group slides.
    slide = ("High-Volume Adopters", "At-Risk", 2)
    busy = (groups.iloc[:, -2] == slide[0]) & groups.iloc[:, -1].notna()
    assert 0.1 < moves.count(slide) / busy.sum() < 0.2
    moves = [move[:2] for move in moves if move != slide]
    quarters = groups.notna().to_numpy().sum() - len(groups)
    assert 0.03 < len(moves) / quarters < 0.05
    assert 0.4 < np.mean([after == "At-Risk" for _, after in moves]) < 0.6
    assert groups.nunique(axis=1).max() == 2


def test_those_at_risk_leave_more_often(clean):
    rows, groups = persons(clean)
    is_patient = rows.person_type == "patient"
    before, after = groups["2025-03-31"][is_patient], groups["2025-06-30"][is_patient]
    table = pd.crosstab(before == "At-Risk", after[before.notna()].isna())
    assert stats.fisher_exact(table).pvalue < 0.001
    gone = after[before.notna()].isna().groupby(before).mean()
    assert gone.drop(["At-Risk", "Moderate: digital"]).max() < 0.05 < gone["At-Risk"]


def test_engagement_is_missing_where_adoption_is_low_and_other_features_anywhere(default):
    rows = records(default)
    is_low = rows.technology_adoption < 3
    p_values = {
        feature: stats.fisher_exact(pd.crosstab(rows[feature].isna(), is_low)).pvalue
        for feature in ("engagement_level", "satisfaction_score", "procedure_frequency")
    }
    assert p_values.pop("engagement_level") < 1e-6
    assert min(p_values.values()) > 0.05


def test_one_undeclared_column_tells_of_the_group_and_one_does_not(default):
    rows = records(default)
    _, groups = persons(default)
    first = rows[rows.as_of_date == "2024-09-30"].set_index("person_id")
    planted = groups["2024-09-30"].loc[first.index]
    for column, is_told in [("age_years", True), ("distance_km", False)]:
        parts = [part for _, part in first[column].astype(float).groupby(planted)]
        assert (stats.kruskal(*parts).pvalue < 1e-6) == is_told
        assert is_told or stats.kruskal(*parts).pvalue > 0.05


def test_about_half_consent(clean):
    shares = texts(clean).drop_duplicates("person_id").marketing_consent.value_counts(True)
    assert 0.4 < shares["yes"] < 0.5
    assert 0.05 < shares[""] < 0.15


def test_without_groups_there_is_one_cloud(cloud):
    _, groups = persons(cloud)
    assert set(groups.stack().dropna()) == {"one cloud"}
    values, _ = newest(cloud, "patient")
    correlations = values.corr(method="spearman").to_numpy()
    assert correlations.min() > 0.3
    scaled = StandardScaler().fit_transform(values)
    fit = KMeans(5, n_init=4, random_state=42).fit(scaled)
    assert silhouette_score(scaled, fit.labels_) < 0.3


def test_a_large_sample_takes_seconds(tmp_path):
    start = time.process_time()
    large = generate_engagement(tmp_path, 30_000)
    assert time.process_time() - start < 10
    assert large.feeds[FEED].n_raw > 100_000


def test_command_writes_engagement(tmp_path):
    ended = CliRunner().invoke(
        cli.app,
        [
            *("sample", "--area", "engagement", "--out", str(tmp_path)),
            *("--people", "60", "--groups", "0", "--dirt", "0"),
            *("--share", "satisfaction_blank=0.1"),
        ],
    )
    assert ended.exit_code == 0, ended.output
    rows = pd.read_csv(tmp_path / "engagement" / f"{FEED}.csv")
    assert rows.person_id.nunique() == 60
    assert round(rows.satisfaction_score.isna().mean(), 1) == 0.1


def test_the_warehouse_makes_of_every_record_what_the_truth_says(sample, default):
    rows = sample.query(
        "select n_raw, n_accepted, n_rejected, n_duplicates "
        "from quality.feed_reconciliation where area = 'engagement'"
    )
    assert rows == [tuple(vars(default.feeds[FEED]).values())]


def test_the_shipped_sample_stays_below_the_thresholds(sample):
    verdicts = sample.query(
        "select distinct verdict from quality.intake_shares where area = 'engagement'"
    )
    assert verdicts == [("fine",)]


def test_flags_of_profiles_are_as_many_as_the_dirt(sample, default):
    flags = dict(
        sample.query(
            "select repair, count(*) "
            "from (select unnest(repairs) as repair from core.fct_engagement) group by repair"
        )
    )
    dirt = default.dirt
    assert flags == {
        "satisfaction_score:out_of_range": dirt["satisfaction_beyond"],
        "satisfaction_score:set_null": dirt["satisfaction_unreadable"],
        "engagement_level:out_of_range": dirt["engagement_beyond"],
        "technology_adoption:out_of_range": dirt["adoption_beyond"],
        "annual_value:out_of_range": dirt["value_negative"],
        "first_seen_date:set_null": dirt["first_seen_unreadable"],
        "left_date:before_first_seen": dirt["left_before_first_seen"],
        "marketing_consent:set_null": dirt["consent_unreadable"],
    }


def test_persons_are_of_the_type_and_on_the_dates_of_the_truth(sample, default):
    truth, groups = persons(default)
    profiles = sample.frame("select person_id, person_type, as_of_date from core.fct_engagement")
    assert (truth.person_type[profiles.person_id].to_numpy() == profiles.person_type).all()
    told = set(zip(profiles.person_id, profiles.as_of_date.astype(str), strict=True))
    planted = set(groups.stack().dropna().index)
    # What is missing was refused.
    assert told < planted
    assert len(planted - told) == default.feeds[FEED].n_rejected


@pytest.mark.system
def test_one_cloud_has_no_groups_and_teaches_nothing_of_departures(dbt, cloud, tmp_path):
    built = dbt(
        cloud.raw_dir.parent,
        tmp_path,
        *("build", "--select", "+persona_validation", "+departure_fit"),
        *("--exclude", "resource_type:unit_test"),
        areas="engagement",
    )
    assert built.success, built.message
    verdicts = built.query("select person_type, is_reliable from ml.persona_validation order by 1")
    assert verdicts == [("patient", False), ("physician", False)]
    better = built.query("select distinct text from ml.departure_fit where feature = 'better'")
    assert better == [("weights",)]
