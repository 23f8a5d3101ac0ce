"""Measures of persons and lifetime value on the sample, recomputed outside of the warehouse."""

from functools import reduce
from operator import add

import numpy as np
import pandas as pd
import pytest
from builds import PROJECT
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from wardhouse.areas.engagement.lifetime import DAYS_OF_YEAR
from wardhouse.ml.linear import L2_WEIGHT

RANGES = {"satisfaction_score": (1, 10), "engagement_level": (0, 100)}
LOWEST = {"satisfaction_score": 1}


@pytest.fixture(scope="module")
def people(sample):
    """Return people as they are now with their measures."""
    return sample.frame(
        "select profiles.*, measures.* exclude (person_type, person_key, as_of_date) "
        "from core.fct_engagement as profiles "
        "inner join engagement.person_measures as measures using (person_key) "
        "where is_current order by person_key"
    )


@pytest.fixture(scope="module")
def departures(sample):
    """Return who left, with the planted truth by person."""
    found = sample.frame(
        "select person_id, departures.* from ml.person_departures as departures inner join "
        "core.fct_engagement as profiles using (person_key) where is_current"
    )
    truth = pd.read_csv(
        PROJECT / "tests/truth/engagement/persons.csv", parse_dates=["left_date"]
    ).drop(columns="person_type")
    return found.merge(truth, on="person_id")


def gaps(people, measure):
    """Give the share of the way to the best tenth that is missing, by person type."""
    values = people[measure]
    low = LOWEST.get(measure, 0)
    groups = values.groupby(people.person_type)
    best = groups.transform(lambda each: each[each >= each.quantile(0.9)].mean())
    return ((best - values) / (best - low)).clip(lower=0)


def test_every_person_has_measures_once(sample, people):
    [(n,)] = sample.query("select count(*) from engagement.person_measures")
    assert n == len(people) == people.person_key.nunique()
    assert set(people.risk_source) == {"regression", "weights"}


def test_loyalty_and_growth_are_recomputed(people):
    shares = [(people[name] - low) / (high - low) for name, (low, high) in RANGES.items()]
    np.testing.assert_allclose(people.loyalty_index, 50 * (shares[0] + shares[1]))
    np.testing.assert_allclose(
        people.growth_potential, gaps(people, "engagement_level"), rtol=0, atol=1e-6
    )
    assert 0.02 < (people.growth_potential == 0).mean() < 0.1


def test_means_are_added_up_by_size_not_in_the_order_of_rows(sample):
    rules = sample.frame("from ml.persona_feature_rules order by person_type, feature")
    values = sample.frame(
        "select person_type, feature, value from ml.persona_values "
        "where is_current and value is not null order by value"
    )
    groups = values.groupby(["person_type", "feature"]).value
    by_size = groups.agg(lambda group: reduce(add, group) / len(group)).sort_index()
    assert rules.mean_value.tolist() == by_size.tolist()


def test_risk_by_weights_is_recomputed(people):
    weights = pd.read_csv(PROJECT / "seeds/reference/risk_weights.csv", index_col="measure").weight
    gap = pd.DataFrame({measure: gaps(people, measure) for measure in weights.index})
    expected = (gap * weights).sum(axis=1) / (gap.notna() * weights).sum(axis=1)
    by_weights = people.risk_source == "weights"
    assert set(people.person_type[by_weights]) == {"physician"}
    np.testing.assert_allclose(people.risk_score[by_weights], expected[by_weights], atol=1e-6)


def test_risk_by_regression_is_that_of_scikit_learn_and_better(sample, people):
    rows = sample.frame(
        "select * from ml.departure_features where person_type = 'patient' "
        "and feature_values is not null order by as_of_date, person_key"
    )
    values, last = np.array(rows.feature_values.tolist()), rows.as_of_date.unique()[-2]
    is_known = rows.has_left.notna()
    fit = make_pipeline(StandardScaler(), LogisticRegression(C=1 / L2_WEIGHT, tol=1e-10))
    old, judged = is_known & (rows.as_of_date < last), rows.as_of_date == last
    fit.fit(values[old], rows.has_left[old].astype(bool))
    probability = pd.Series(fit.predict_proba(values)[:, 1], rows.index)
    now = rows.is_current.astype(bool)
    expected = probability[now].set_axis(rows.person_key[now])
    told = people[people.person_type == "patient"].set_index("person_key").risk_score
    np.testing.assert_allclose(told, expected.loc[told.index], rtol=1e-4)
    judged &= is_known
    metrics = dict(
        sample.query(
            "select feature, value from ml.departure_fit "
            "where person_type = 'patient' and component = 'metric'"
        )
    )
    left = rows.has_left[judged].astype(bool)
    assert metrics["score"] == pytest.approx(roc_auc_score(left, probability[judged]), abs=1e-4)
    assert metrics["baseline_score"] == pytest.approx(
        roc_auc_score(left, rows.risk_by_weights[judged])
    )
    assert metrics["difference_low"] > 0


def test_those_who_left_are_known_whether_or_not_the_feed_tells(departures):
    assert departures.has_left.equals(departures.left_date.notna())
    gone = departures[departures.has_left]
    late = (gone.departed_on - gone.left_date).dt.days
    # Who is only missing is found on the next date, at most a quarter later.
    assert late.between(0, 92).all()
    assert 0.6 < (late == 0).mean() < 0.9
    assert departures.departed_on.isna().equals(~departures.has_left)


def test_lifetime_value_is_recomputed_for_every_persona(sample):
    people = sample.frame(
        "select persona_number, departures.* "
        "from ml.persona_members inner join ml.person_departures as departures using (person_key)"
    )
    told = sample.frame("select * from engagement.persona_lifetime_value")
    told = told.set_index(["person_type", "persona_number"])
    assert set(told.retention_source) == {"observed"}
    assert len(told) == 10
    for persona, rows in people.groupby(["person_type", "persona_number"]):
        left, days = rows.has_left.astype(bool), rows.days_seen.to_numpy()
        censored = stats.CensoredData(uncensored=days[left], right=days[~left])
        ahead = np.arange(round(5 * DAYS_OF_YEAR))
        share = stats.ecdf(censored).sf.evaluate(ahead)
        rate = left.sum() / np.maximum(days, 0.5).sum()
        beyond = ahead > days.max()
        share[beyond] = share[days.max()] * np.exp(-rate * (ahead[beyond] - days.max()))
        years = (share * 1.03 ** -((ahead + 0.5) / DAYS_OF_YEAR)).sum() / DAYS_OF_YEAR
        value = rows.annual_value_amount.astype(float).mean()
        assert told.discounted_years[persona] == pytest.approx(years, abs=1e-4)
        assert float(told.lifetime_value[persona]) == pytest.approx(value * years, abs=0.01)
        shown = told.n_departures[persona]
        assert pd.isna(shown) if left.sum() < 11 else shown == left.sum()
    low, high = told.lifetime_value_low.astype(float), told.lifetime_value_high.astype(float)
    assert told.lifetime_value.astype(float).between(low, high).all()


def test_personas_at_risk_stay_shorter_than_those_planted_to_stay(sample):
    told = sample.frame("select * from engagement.persona_lifetime_value")
    for _, rows in told.groupby("person_type"):
        years = rows.set_index("segment").discounted_years
        assert years["At-Risk"] < 0.5 * min(years["Champions"], years["High-Volume Adopters"])
