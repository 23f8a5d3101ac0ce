"""The tests behind insights: equal to SciPy's, and silent where nothing can be said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from wardhouse.quality import insights


def sums(groups, x=None):
    """Sum observations as the model telehealth_insight_statistics does."""
    rows = []
    for name, values in groups.items():
        y = np.asarray(values, float)
        against = np.zeros(len(y)) if x is None else np.asarray(x, float)
        rows.append(
            {
                "area": "clinic",
                "insight": "one",
                "group_name": name,
                "n": len(y),
                "y_sum": y.sum(),
                "y_square_sum": (y**2).sum(),
                "x_sum": against.sum(),
                "x_square_sum": (against**2).sum(),
                "xy_sum": (against * y).sum(),
            }
        )
    return pd.DataFrame(rows)


def definition(test, pick="highest"):
    return pd.DataFrame([{"area": "clinic", "insight": "one", "test": test, "pick": pick}])


scores = st.lists(st.integers(1, 5), min_size=3, max_size=40)


@settings(deadline=None, max_examples=60)
@given(st.lists(scores, min_size=2, max_size=5))
@example([[1, 1, 1, 1, 1, 3], [1, 1, 1, 1, 1, 1, 1, 1, 4]])
def test_analysis_of_variance_is_that_of_scipy(samples):
    groups = {f"group {place}": values for place, values in enumerate(samples)}
    found = insights.one_way_anova(sums(groups), "highest")
    if all(len(set(values)) == 1 for values in samples):
        assert np.isnan(found.p_value)
        return
    expected = stats.f_oneway(*samples)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    # Of equal means rounding may make SciPy's F a bit less than zero, which then has no p-value.
    p_value = 1 if expected.statistic < 0 else expected.pvalue
    assert found.p_value == pytest.approx(p_value, abs=1e-9)
    assert found.value == max(np.mean(values) for values in samples)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 30)), min_size=3, max_size=60))
def test_correlation_is_that_of_scipy(pairs):
    y, x = np.array(pairs, float).T
    found = insights.pearson_correlation(sums({"all": y}, x))
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(found.p_value)
        return
    expected = stats.pearsonr(x, y)
    assert found.value == pytest.approx(expected.statistic, abs=1e-7)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-5)


def test_chi_square_is_that_of_scipy():
    groups = {"a": [1] * 20 + [0] * 80, "b": [1] * 35 + [0] * 65, "c": [1] * 30 + [0] * 90}
    found = insights.chi_square(sums(groups), "highest")
    table = [[sum(v), len(v) - sum(v)] for v in groups.values()]
    expected = stats.chi2_contingency(table, correction=False)
    assert (found.statistic, found.p_value) == pytest.approx(expected[:2])
    assert (found.group, found.value, found.n, found.degrees_of_freedom) == ("b", 0.35, 100, 2)


def test_shares_with_few_successes_are_tested_among_tables_of_the_same_margins():
    groups = {"a": [1] * 20 + [0] * 80, "b": [1] * 35 + [0] * 65, "c": [1] * 30 + [0] * 90}
    found = insights.chi_square_by_margins(sums(groups), "lowest")
    assert found == insights.chi_square(sums(groups), "lowest")
    few = {"a": [1] * 1 + [0] * 11, "b": [1] * 6 + [0] * 6}
    found = insights.chi_square_by_margins(sums(few), "lowest")
    exact = stats.fisher_exact([[1, 6], [11, 6]]).pvalue
    assert (found.group, found.value) == ("a", 1 / 12)
    assert found.p_value == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("share", [0, 1])
def test_groups_that_all_have_the_same_extreme_share_do_not_differ(share):
    found = insights.chi_square_by_margins(sums({"a": [share] * 9, "b": [share] * 4}), "lowest")
    assert (found.statistic, found.p_value, found.group) == (0, 1, "a")


def test_few_successes_raise_no_false_alarm():
    """Of 200 tests of equal shares near zero at 5 % more than 20 have probability 0.1 %."""
    generator = np.random.default_rng(11)
    alarms = 0
    for _ in range(200):
        groups = {str(place): generator.random(30) < 0.03 for place in range(12)}
        alarms += insights.chi_square_by_margins(sums(groups), "lowest").p_value < 0.05
    assert alarms <= 20


def test_the_best_is_tested_against_all_others_and_pays_for_being_looked_for():
    generator = np.random.default_rng(5)
    groups = {name: generator.integers(1, 6, 40) for name in "abc"} | {"d": [5] * 20 + [4] * 20}
    found = insights.best_against_the_rest(sums(groups), "highest")
    others = np.concatenate([groups[name] for name in "abc"])
    expected = stats.ttest_ind(groups["d"], others, equal_var=False)
    assert found.group == "d"
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(min(1, 4 * expected.pvalue))


@pytest.mark.parametrize(("successes", "is_majority"), [(80, True), (52, False), (10, False)])
def test_a_majority_is_more_than_one_half_beyond_chance(successes, is_majority):
    found = insights.binomial_against_half(sums({"all": [1] * successes + [0] * (100 - successes)}))
    assert found.value == successes / 100
    assert (found.p_value < 0.05) == is_majority


@pytest.mark.parametrize(
    ("test", "groups"),
    [
        ("chi-square", {"a": [1, 0, 1]}),
        ("chi-square", {"a": [0, 0, 0], "b": [0, 0, 0]}),
        ("chi-square", {"a": [1, 1, 1], "b": [1, 1, 1]}),
        ("one-way analysis of variance", {"a": [1, 2, 3]}),
        ("one-way analysis of variance", {"a": [2, 2, 2], "b": [3, 3, 3]}),
        ("Welch t of the best against all others with Bonferroni", {"a": [1, 2, 3]}),
        ("Welch t of the best against all others with Bonferroni", {"a": [2, 2], "b": [3, 3]}),
        ("Pearson correlation", {"all": [1, 2, 3]}),
        ("Pearson correlation", {"all": [4]}),
    ],
)
def test_where_nothing_can_be_tested_there_is_no_p_value(test, groups):
    judged = insights.judge_insights(sums(groups), definition(test), minimum_group_size=1)
    assert len(judged) == 1
    assert judged["p_value"].isna().all()
    assert judged["p_value_adjusted"].isna().all()


def test_small_groups_take_no_part():
    groups = {"a": [1, 2, 1, 2, 1], "b": [2, 2, 1, 2, 2], "tiny": [5, 5]}
    judged = insights.judge_insights(
        sums(groups), definition("one-way analysis of variance"), minimum_group_size=5
    )
    assert judged.loc[0, ["group_name", "n_compared"]].tolist() == ["b", 10]


def test_where_every_group_is_small_the_statement_stands_untested():
    test = "one-way analysis of variance"
    judged = insights.judge_insights(sums({"a": [1, 2], "b": [3]}), definition(test), 5)
    assert judged.loc[0, ["group_name", "n", "n_compared"]].tolist() == ["", 0, 0]
    assert judged[["value", "p_value", "p_value_adjusted"]].isna().all(axis=None)


def test_without_data_there_are_no_statements_but_every_column():
    empty = sums({"a": [1]}).iloc[:0]
    judged = insights.judge_insights(empty, definition("chi-square"), minimum_group_size=5)
    assert len(judged) == 0
    assert judged["p_value_adjusted"].dtype == judged["value"].dtype == np.dtype("float64")
    assert judged["n"].dtype == np.dtype("int64")


def test_the_order_of_rows_does_not_matter():
    groups = {"a": [1, 0, 1, 1, 0], "b": [1, 1, 1, 0, 1], "c": [1, 1, 0, 1, 1]}
    table = sums(groups)
    first, second = (
        insights.judge_insights(rows, definition("chi-square"), minimum_group_size=1)
        for rows in (table, table.iloc[::-1])
    )
    pd.testing.assert_frame_equal(first, second)
    assert first.loc[0, "group_name"] == "b"  # of equal ones the first by name
