"""Lifetime value: survival held against SciPy, figures by hand, and what is not known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from builds import PROJECT
from jinja2 import Environment
from scipy import stats
from wardhouse.areas.engagement.lifetime import (
    ASSUMED,
    COLUMNS,
    DAYS_OF_YEAR,
    OBSERVED,
    Horizon,
    persona_lifetimes,
    survival,
    value_of,
)

FIVE_YEARS = Horizon(5, 0.03)


def by_day(days, has_left, n=None):
    """Count those whose time ends, and those who left, by day."""
    n = n or max(days) + 1
    return np.bincount(days, minlength=n), np.bincount(days, has_left, minlength=n)


def people(days, has_left, value):
    return pd.DataFrame({"days_seen": days, "has_left": has_left, "annual_value_amount": value})


@pytest.mark.parametrize("seed", range(4))
def test_survival_is_that_of_scipy(seed):
    generator = np.random.default_rng(seed)
    days, has_left = generator.integers(0, 300, 200), generator.random(200) < 0.3
    ours = survival(*by_day(days, has_left), 300)[: days.max() + 1]
    censored = stats.CensoredData(uncensored=days[has_left], right=days[~has_left])
    theirs = stats.ecdf(censored).sf.evaluate(np.arange(days.max() + 1))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_survival_by_hand_and_beyond_what_was_seen():
    # Of four, one leaves on day 1 and one on day 3; one was last seen on day 2, one on day 4.
    share = survival(*by_day([1, 3, 2, 4], [1, 1, 0, 0]), 7)
    np.testing.assert_allclose(share[:5], [1, 0.75, 0.75, 0.375, 0.375])
    # Two left in ten days of people.
    np.testing.assert_allclose(share[5:], 0.375 * np.exp([-0.2, -0.4]))


def test_draws_are_one_computation():
    ended, left = by_day([1, 3, 2, 4], [1, 1, 0, 0])
    both = survival(np.array([ended, 2 * ended]), np.array([left, 2 * left]), 9)
    np.testing.assert_allclose(both[0], survival(ended, left, 9))
    np.testing.assert_allclose(both[0], both[1])


def test_days_of_the_horizon_are_worth_less_the_later():
    assert Horizon(5, 0).worth.sum() == pytest.approx(5, abs=0.001)
    exact = (1 - 1.03**-5) / np.log(1.03)
    assert FIVE_YEARS.worth.sum() == pytest.approx(exact, rel=1e-3)


def test_nobody_who_leaves_is_worth_the_whole_horizon():
    figures = value_of(people([100] * 20, False, 1000.0), FIVE_YEARS, None, 1)
    assert figures["lifetime_value"] == pytest.approx(1000 * FIVE_YEARS.worth.sum())
    assert figures["lifetime_value_low"] == pytest.approx(figures["lifetime_value_high"])


def test_assumed_retention_is_a_geometric_sum():
    figures = value_of(people([np.nan] * 3, False, [100.0, 200.0, np.nan]), Horizon(2, 0), 0.5, 1)
    exact = (1 - 0.25) / np.log(2)
    assert figures["mean_annual_value"] == 150
    assert figures["discounted_years"] == pytest.approx(exact, rel=2e-3)
    assert 100 * exact < figures["lifetime_value_high"] * 1.01
    assert figures["lifetime_value_low"] <= figures["lifetime_value"]


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(3)
    worth = Horizon(1, 0)
    # A hazard of one in 200 days, seen for a whole horizon.
    truth = 100 * (np.exp(-np.arange(1, 366) / 200) @ worth.worth)
    covered = 0
    for seed in range(40):
        until = np.ceil(generator.exponential(200, 80)).astype(int)
        rows = people(np.minimum(until, 366), until <= 366, generator.normal(100, 30, 80))
        figures = value_of(rows, worth, None, seed)
        covered += figures["lifetime_value_low"] <= truth <= figures["lifetime_value_high"]
    assert covered >= 34


def persona(n, n_left):
    """Return members of one persona, seen for a year, and who of them left at its end."""
    keys = np.arange(n)
    departures = pd.DataFrame(
        {
            "person_type": "patient",
            "person_key": keys,
            "has_left": keys < n_left,
            "days_seen": 365,
            "annual_value_amount": 200.0,
        }
    )
    members = pd.DataFrame({"person_type": "patient", "person_key": keys, "persona_number": 1})
    return members, departures


def test_where_departures_are_known_they_are_observed_and_else_assumed():
    for n_left, source in [(10, OBSERVED), (4, ASSUMED)]:
        lifetimes = persona_lifetimes(*persona(40, n_left), {"patient": 0.9}, FIVE_YEARS, 11, 1)
        assert lifetimes["retention_source"].tolist() == [source]
        assert lifetimes["lifetime_value"].notna().all()
    nothing = persona_lifetimes(*persona(40, 0), {}, FIVE_YEARS, 11, 1)
    assert nothing["retention_source"].tolist() == ["unknown"]
    assert nothing["lifetime_value"].isna().all()


def test_few_people_have_no_figures_and_none_no_rows():
    members, departures = persona(40, 10)
    members["persona_number"] = np.where(members["person_key"] % 4 == 0, 2, 1)
    lifetimes = persona_lifetimes(members, departures, {}, FIVE_YEARS, 11, 1)
    figures = ["mean_annual_value", "discounted_years", "lifetime_value", "observed_years"]
    assert lifetimes[figures].notna().all(axis=1).tolist() == [True, False]
    assert lifetimes["n_people"].tolist() == [30, 10]
    nobody = persona_lifetimes(members[:0], departures, {}, FIVE_YEARS, 11, 1)
    assert nobody.empty
    assert list(nobody.columns) == list(COLUMNS)


def test_order_of_rows_does_not_matter():
    members, departures = persona(60, 20)
    departures["annual_value_amount"] = 100.0 + departures["person_key"]
    ours = persona_lifetimes(members, departures, {}, FIVE_YEARS, 11, 1)
    shuffled = (frame.sample(frac=1, random_state=4) for frame in (members, departures))
    pd.testing.assert_frame_equal(persona_lifetimes(*shuffled, {}, FIVE_YEARS, 11, 1), ours)


def test_a_year_that_costs_a_quarter_of_the_people():
    members, departures = persona(40, 10)
    lifetimes = persona_lifetimes(members, departures, {}, Horizon(1, 0), 11, 1)
    assert lifetimes["discounted_years"].item() == pytest.approx(1, abs=0.01)
    two = persona_lifetimes(members, departures, {}, Horizon(2, 0), 11, 1)
    ahead = np.exp(-10 / (40 * 365) * np.arange(1, 366)).sum() * 0.75 / DAYS_OF_YEAR
    assert two["discounted_years"].item() == pytest.approx(1 + ahead, abs=0.01)


def horizon(years, rate):
    """Render the macro that reads the vars."""

    def refuse(message: str):
        raise ValueError(message)

    context = {
        "var": {"persona_horizon_years": years, "persona_discount_rate": rate}.__getitem__,
        "exceptions": SimpleNamespace(raise_compiler_error=refuse),
        "return": lambda value: value,
    }
    source = (PROJECT / "macros" / "ml" / "departures.sql").read_text()
    environment = Environment(extensions=["jinja2.ext.do"])
    return environment.from_string(source, globals=context).module.lifetime_horizon()


@pytest.mark.parametrize(("years", "rate"), [(5, 0.03), ("10", "0"), (0.5, 0.99)])
def test_a_horizon_is_taken(years, rate):
    assert horizon(years, rate).strip() == str({"years": years, "rate": rate})


@pytest.mark.parametrize(
    ("years", "rate", "said"),
    [
        (0, 0.03, "persona_horizon_years is 0: give years above 0, at most 100, such as 5"),
        ("long", 0.03, "persona_horizon_years is long: give years"),
        (5, 3, "persona_discount_rate is 3: give a share from 0 to below 1, such as 0.03"),
        (5, "much", "persona_discount_rate is much: give a share"),
    ],
)
def test_what_is_no_horizon_is_refused(years, rate, said):
    with pytest.raises(ValueError, match=said):
        horizon(years, rate)
