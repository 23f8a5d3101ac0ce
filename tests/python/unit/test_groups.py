"""Whether there are groups: silhouettes and the Gaussian-copula null."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr
from sklearn.metrics import silhouette_samples
from wardhouse.bench.engagement import CLOUDS, GROUPED
from wardhouse.ml.groups import (
    NULL_METRICS,
    Copula,
    copula_test,
    largest_silhouette,
    silhouettes,
    standardised,
)
from wardhouse.ml.kept import kept_metrics
from wardhouse.ml.threads import single_threaded
from wardhouse.ml.tidy import tidy_table

N = 300


@pytest.fixture(autouse=True)
def one_thread():
    """Fit as models do."""
    with single_threaded():
        yield


def test_scaled_columns_have_mean_0_and_deviation_1_and_a_constant_is_0():
    values = np.random.default_rng(1).gamma(2, [3, 500], (N, 2))
    scaled = standardised(np.column_stack([values, np.full(N, 0.1)]))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 0])


@pytest.mark.parametrize("k", [2, 3, 7])
def test_silhouettes_are_those_of_scikit_learn(k):
    generator = np.random.default_rng(k)
    rows = np.round(generator.normal(size=(N, 3)), 1)  # some are equal
    labels = generator.integers(0, k, N)
    labels[labels == 0] = 1
    labels[0] = 0  # one is alone
    found = silhouettes(cdist(rows, rows), labels)
    np.testing.assert_allclose(found, silhouette_samples(rows, labels), atol=1e-10)


def test_one_cluster_and_rows_all_alike_have_silhouette_0():
    rows = np.random.default_rng(1).normal(size=(10, 2))
    assert not silhouettes(cdist(rows, rows), np.zeros(10, int)).any()
    assert not silhouettes(np.zeros((10, 10)), np.arange(10) % 2).any()
    assert largest_silhouette(np.ones((10, 2)), range(2, 8), 1) == 0


def test_numbers_of_clusters_beyond_the_distinct_rows_are_left_out():
    rows = np.repeat([[0.0, 0], [1, 0], [0, 5]], 10, axis=0)
    assert largest_silhouette(rows, range(2, 8), 1) == pytest.approx(1)


def test_draws_of_the_null_have_the_marginals_and_the_rank_correlation_of_the_data():
    generator = np.random.default_rng(5)
    cloud = generator.multivariate_normal([0, 0, 0], [[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]], 2000)
    # A skewed one, one rounded so far that it has few values, and one with two humps.
    humps = cloud[:, 2] + 6 * (cloud[:, 2] > 0)
    values = np.column_stack([np.exp(cloud[:, 0]), np.round(cloud[:, 1]), humps])
    draw = Copula(values, seed=1).draw(np.random.default_rng(2))
    assert draw.shape == values.shape
    for column, drawn in zip(values.T, draw.T, strict=True):
        assert set(drawn) <= set(column)
        quantiles = np.linspace(0.05, 0.95, 7)
        np.testing.assert_allclose(
            np.quantile(drawn, quantiles, method="inverted_cdf"),
            np.quantile(column, quantiles, method="inverted_cdf"),
            atol=0.3 * column.std(),
        )
    wanted, found = (spearmanr(rows).statistic for rows in (values, draw))
    np.testing.assert_allclose(found, wanted, atol=0.06)


def test_equal_and_constant_columns_are_drawn_as_such():
    one = np.random.default_rng(3).normal(size=N)
    draw = Copula(np.column_stack([one, one, np.full(N, 4.0)]), 1).draw(np.random.default_rng(2))
    assert (draw[:, 0] == draw[:, 1]).mean() > 0.99
    assert (draw[:, 2] == 4).all()


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds_without_groups_are_not_called_grouped(name):
    n_called = 0
    for seed in range(3):
        values = CLOUDS[name](np.random.default_rng(seed), N)
        n_called += copula_test(values, seed, max_rows=N, draws=19).p_value <= 0.05
    assert n_called <= 1


@pytest.mark.parametrize("name", GROUPED)
def test_true_groups_are_found_also_where_they_overlap(name):
    for seed in range(2):
        values = GROUPED[name](np.random.default_rng(seed), N)
        found = copula_test(values, seed, max_rows=N, draws=19)
        assert found.p_value == 0.05
        assert found.statistic > found.null_upper > found.null_mean


def test_the_test_is_the_same_twice_and_in_other_units_and_by_its_seed():
    values = CLOUDS["skewed"](np.random.default_rng(1), N)
    first = copula_test(values, 1, max_rows=200, draws=19)
    assert first == copula_test(values, 1, max_rows=200, draws=19)
    other = copula_test(values * [1000, 0.01, 7, 1] + 5, 1, max_rows=200, draws=19)
    assert (other.p_value, other.n_draws) == (first.p_value, 19)
    assert other.statistic == pytest.approx(first.statistic, rel=1e-9)
    assert other.null_upper == pytest.approx(first.null_upper, rel=1e-9)
    assert copula_test(values, 2, max_rows=200, draws=19) != first


@pytest.mark.parametrize(
    "values", [np.empty((0, 2)), np.ones((1, 2)), np.eye(19), np.ones((50, 3))]
)
def test_too_few_rows_and_rows_all_alike_are_not_tested(values):
    found = copula_test(values, 1, max_rows=100, draws=19)
    assert found.n_draws == 0
    assert np.isnan([found.statistic, found.p_value, found.null_mean, found.null_upper]).all()
    assert set(found.metrics) == set(NULL_METRICS)


def test_columns_that_are_constant_discrete_or_equal_are_tested():
    generator = np.random.default_rng(4)
    one = generator.normal(size=40)
    values = np.column_stack([one, one, np.ones(40), generator.integers(0, 2, 40)])
    assert 0 < copula_test(values, 1, max_rows=100, draws=9).p_value <= 1


def test_a_test_is_kept_where_task_data_and_settings_are_the_same():
    last = tidy_table("vip", "f00d", {"seed": 1}, {"copula_p": 0.5, "other": 2}, [])
    assert kept_metrics(last, "vip", "f00d", {"seed": 1}, NULL_METRICS) == {"copula_p": 0.5}
    for other in (("x", "f00d", {"seed": 1}), ("vip", "cafe", {"seed": 1}), ("vip", "f00d", {})):
        assert kept_metrics(last, *other, NULL_METRICS) is None
    assert kept_metrics(None, "vip", "f00d", {"seed": 1}, NULL_METRICS) is None
    newer = last.assign(text=last["text"].str.replace("scikit_learn", "scikit_learn_2"))
    assert kept_metrics(pd.DataFrame(newer), "vip", "f00d", {"seed": 1}, NULL_METRICS) is None
