"""How far clusters hold: bootstraps, samples, the gap statistic and other methods."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_samples, silhouette_score
from wardhouse.bench.engagement import CLOUDS, GROUPED
from wardhouse.ml.groups import standardised
from wardhouse.ml.k_means import k_means
from wardhouse.ml.stability import (
    agreement,
    agreement_without,
    bootstrap,
    cluster_silhouettes,
    counts,
    gap_statistic,
    matched,
    other_methods,
    silhouette_error,
    stratified,
)
from wardhouse.ml.threads import single_threaded

N = 300


@pytest.fixture(autouse=True)
def one_thread():
    """Fit as models do."""
    with single_threaded():
        yield


def clustered(shape, k: int, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows of a shape, scaled, and their clusters."""
    scaled = standardised((CLOUDS | GROUPED)[shape](np.random.default_rng(1), n))
    return scaled, k_means(k, 1).fit(scaled).labels_


@pytest.mark.parametrize("n_second", [1, 2, 5])
def test_agreement_is_the_adjusted_rand_index_of_scikit_learn(n_second):
    generator = np.random.default_rng(n_second)
    first = generator.integers(0, 4, 60)
    for second in (generator.integers(0, n_second, 60), first % n_second):
        found = agreement(counts(first, second, 4, n_second))
        assert found == pytest.approx(adjusted_rand_score(first, second), abs=1e-12)


def test_one_cluster_agrees_with_itself():
    assert agreement(np.array([[7]])) == 1


def test_clusters_are_matched_by_their_overlap():
    table = np.array([[0, 9, 1], [8, 0, 0], [0, 2, 7]])
    assert matched(table).tolist() == [1, 0, 2]


def test_jaccards_are_those_of_the_sets_of_distinct_rows():
    scaled, labels = clustered("overlapping", 3, n=60)
    found = bootstrap(scaled, labels, seed=4, draws=1)
    drawn = np.random.default_rng(4).integers(0, 60, 60)
    other = k_means(3, 4, starts=1).fit(scaled[drawn]).predict(scaled)
    for cluster in range(3):
        own = {row for row in drawn if labels[row] == cluster}
        others = [{row for row in drawn if other[row] == name} for name in range(3)]
        expected = max(len(own & each) / len(own | each) for each in others)
        assert found.jaccards[cluster] == pytest.approx(expected)
    assert found.agreements[0] == pytest.approx(adjusted_rand_score(labels, other))
    np.testing.assert_allclose(found.moves.sum(axis=1), 1)


def test_true_groups_hold_and_cuts_through_a_cloud_do_not():
    groups = bootstrap(*clustered("planted", 5), seed=1, draws=10)
    cloud = bootstrap(*clustered("gaussian", 5), seed=1, draws=10)
    assert groups.metrics["bootstrap_ari"] > 0.9 > 0.6 > cloud.metrics["bootstrap_ari"]
    assert groups.metrics["smallest_jaccard"] > 0.9 > 0.6 > cloud.metrics["smallest_jaccard"]
    assert np.diag(groups.moves).min() > 0.9 > np.diag(cloud.moves).min()
    for each in (groups, cloud):
        low, mean, high = (
            each.metrics[name]
            for name in ("bootstrap_ari_low", "bootstrap_ari", "bootstrap_ari_high")
        )
        assert low <= mean <= high


def test_few_distinct_rows_are_shaken_without_a_crash():
    scaled = np.repeat([[0.0, 0], [1, 0], [0, 5]], [28, 1, 1], axis=0)
    found = bootstrap(scaled, np.repeat([0, 1, 2], [28, 1, 1]), seed=1, draws=10)
    assert ((found.jaccards >= 0) & (found.jaccards <= 1)).all()
    assert found.jaccards[0] > found.jaccards[1]


def test_a_sample_by_cluster_holds_small_clusters_too():
    labels = np.repeat([0, 1, 2], [9000, 980, 20])
    rows = stratified(labels, 500, seed=1)
    sizes = np.bincount(labels[rows])
    assert len(rows) <= 500
    assert (np.diff(rows) > 0).all()
    assert sizes[2] >= 10
    assert sizes[0] / sizes[1] == pytest.approx(9000 / 980, rel=0.2)
    assert (rows == stratified(labels, 500, seed=1)).all()
    assert (stratified(labels, 10_000, seed=1) == np.arange(10_000)).all()
    # A plain sample would have one cluster only.
    lonely = np.repeat([0, 1], [9999, 1])
    assert set(lonely[stratified(lonely, 50, seed=1)]) == {0, 1}


def test_silhouettes_of_clusters_are_those_of_scikit_learn_and_a_sample_is_near():
    scaled, labels = clustered("planted", 5)
    mean, of_clusters = cluster_silhouettes(scaled, labels, max_rows=N, seed=1)
    every = silhouette_samples(scaled, labels)
    assert mean == pytest.approx(silhouette_score(scaled, labels), abs=1e-12)
    expected = [every[labels == cluster].mean() for cluster in range(5)]
    np.testing.assert_allclose(of_clusters, expected, atol=1e-12)
    sampled_mean, _ = cluster_silhouettes(scaled, labels, max_rows=150, seed=1)
    assert sampled_mean == pytest.approx(mean, abs=0.05)
    assert sampled_mean != mean


def test_the_error_of_a_silhouette_is_the_deviation_of_halves():
    scaled, labels = clustered("overlapping", 2)
    generator = np.random.default_rng(7)
    halves = [generator.permutation(N)[: N // 2] for _ in range(20)]
    means = [silhouette_score(scaled[rows], labels[rows]) for rows in halves]
    assert silhouette_error(scaled, labels, 7) == pytest.approx(np.std(means, ddof=1), rel=1e-9)


def test_the_gap_statistic_finds_the_true_number_of_groups():
    ks = list(range(2, 8))
    scaled, _ = clustered("planted", 5)
    gaps, errors = gap_statistic(scaled, ks, seed=1)
    enough = gaps[:-1] >= gaps[1:] - errors[1:]
    assert ks[int(enough.argmax())] == 5
    assert (errors > 0).all()


def test_the_gap_of_clusters_without_spread_is_not_known():
    scaled = np.repeat(np.eye(3), 10, axis=0)
    gaps, _ = gap_statistic(scaled, [2, 3], seed=1)
    assert np.isfinite(gaps[0])
    assert np.isnan(gaps[1])


def test_other_methods_agree_on_true_groups():
    found = other_methods(*clustered("planted", 5), seed=1)
    assert set(found) == {"gaussian_mixture_ari", "ward_ari"}
    assert min(found.values()) > 0.9
    assert max(other_methods(*clustered("gaussian", 5), seed=1).values()) < 0.7


def test_a_feature_that_changes_nothing_is_told_by_its_absence():
    scaled, _ = clustered("planted", 5)
    with_constant = np.column_stack([scaled, np.zeros(N)])
    labels = k_means(5, 1).fit(with_constant).labels_
    found = agreement_without(with_constant, labels, seed=1)
    assert found[-1] == 1
    assert (found[:4] < 0.9).all()
    assert np.isnan(agreement_without(scaled[:, :1], labels, seed=1)).all()
