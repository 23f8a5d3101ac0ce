"""The opportunity of a provider: the fit, its judgement and its intervals, without a build."""

from itertools import product
from math import ceil

import numpy as np
import pandas as pd
import pytest
from builds import shared_data
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.preprocessing import StandardScaler
from wardhouse.areas.growth.opportunity import (
    STRENGTHS,
    Judgement,
    errors_of_mean,
    errors_of_rivals,
    fit_opportunity,
    judge,
    leave_one_out,
)
from wardhouse.ml.statistics import N_DRAWN, jackknife_ranks, sign_flip_p
from wardhouse.ml.threads import single_threaded

SEED = 42
NINE = [
    "total_patients", "stay", "satisfaction", "cost", "visits", "denied", "claimed",
    "contact_count", "marketing_cost",
]  # fmt: skip


@pytest.fixture
def one_thread():
    """Fit as models do; `fit_opportunity` does it by itself."""
    with single_threaded():
        yield


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    """Return the real providers, one row each, from the raw files alone."""
    folder = shared_data("growth")
    encounters = pd.read_csv(folder / "sg2_patient_flow_full.csv")
    claims = pd.read_csv(folder / "ehr_data_full.csv")
    crm = pd.read_csv(folder / "salesforce_crm_full.csv", index_col="provider_name")
    by_provider = encounters.groupby("referral_provider").agg(
        total_patients=("patient_id", "nunique"),
        stay=("length_of_stay", "mean"),
        satisfaction=("satisfaction_score", "mean"),
        cost=("treatment_cost", "mean"),
    )
    claims["is_denied"] = claims["claim_status"] == "Denied"
    by_claims = claims.groupby("provider_name").agg(
        visits=("patient_id", "size"), denied=("is_denied", "mean"), claimed=("claim_amount", "sum")
    )
    return by_provider.join(by_claims).join(crm)


def long(values: np.ndarray, target: np.ndarray) -> pd.DataFrame:
    """Return arrays as `opportunity_features` has them."""
    n, width = values.shape
    return pd.DataFrame(
        {
            "provider_key": np.repeat(np.arange(n), width),
            "feature": [f"f{place}" for place in range(width)] * n,
            "value": values.ravel(),
            "target": np.repeat(target, width),
        }
    )


def settings_of(table: pd.DataFrame) -> dict[str, str]:
    return table[table["component"] == "setting"].set_index("feature")["text"].to_dict()


def metrics_of(table: pd.DataFrame) -> dict[str, float]:
    return table[table["component"] == "metric"].set_index("feature")["value"].to_dict()


# The real providers


@pytest.mark.usefixtures("one_thread")
def test_with_nine_features_the_real_providers_are_foretold_worse_than_by_their_mean(real):
    values, target = real[NINE].to_numpy(float), real["opportunity_value"].to_numpy(float)
    judgement = judge(leave_one_out(values, target).errors, target, SEED)
    rivals = errors_of_rivals(values, target)
    assert round(judgement.error_of_mean) == 111_811
    assert round(judgement.error) == 142_671
    assert round(rivals["mae_least_squares"]) == 166_080
    assert round(rivals["mae_same_folds"]) == 98_019
    assert not judgement.is_reliable
    assert judgement.verdict.startswith(
        "Not reliable: 8 providers, each left out once, are missed by 142,671 on average, and by "
        "111,811 with the mean of the others (sign-flip p "
    )


# Judgement


@pytest.mark.system
@pytest.mark.usefixtures("one_thread")
def test_noise_is_seldom_called_reliable(real):
    """The real features, the real values dealt out at random, 200 times."""
    values, target = real[NINE].to_numpy(float), real["opportunity_value"].to_numpy(float)
    generator = np.random.default_rng(SEED)
    n_better = n_reliable = 0
    for _ in range(200):
        dealt = generator.permutation(target)
        judgement = judge(leave_one_out(values, dealt).errors, dealt, SEED)
        n_better += judgement.error < judgement.error_of_mean
        n_reliable += judgement.is_reliable
    assert n_reliable <= 24  # 12 %
    assert n_better > n_reliable  # what the test and not the error alone refuses


def test_a_planted_slope_is_reliable():
    generator = np.random.default_rng(3)
    values = generator.normal(size=(12, 3))
    target = 200_000 + 50_000 * values[:, 0] + generator.normal(0, 3_000, 12)
    table = fit_opportunity(long(values, target), "opportunity_value", 0.8, SEED, 500)
    assert metrics_of(table)["is_reliable"] == 1
    assert settings_of(table)["verdict"].startswith("Reliable: 12 providers, ")
    assert metrics_of(table)["score"] > 0.5


@pytest.mark.parametrize(
    ("n", "error", "p_value", "is_reliable"),
    [
        (8, 9.0, 0.1, True),
        (7, 9.0, 0.1, False),
        (8, 10.0, 0.1, False),
        (8, 9.0, 0.11, False),
    ],
)
def test_reliable_needs_a_lower_error_a_small_p_and_eight_providers(n, error, p_value, is_reliable):
    judgement = Judgement(n, error, 10.0, p_value)
    assert judgement.is_reliable is is_reliable
    assert judgement.verdict.startswith("Reliable" if is_reliable else "Not reliable")
    assert ("fewer than 8 prove nothing" in judgement.verdict) == (n < 8)


@pytest.mark.usefixtures("one_thread")
def test_scaler_and_strength_are_chosen_without_the_provider_left_out():
    """Beside scikit-learn's own pieces, each chosen by hand on the others alone."""
    generator = np.random.default_rng(7)
    values = generator.normal(size=(7, 2)) * [1, 1_000]
    target = generator.normal(size=7)
    expected = []
    for left_out in range(7):
        others = np.arange(7) != left_out
        scaler = StandardScaler().fit(values[others])
        scaled = scaler.transform(values[others])
        squares = [
            np.square(
                target[others]
                - cross_val_predict(Ridge(strength), scaled, target[others], cv=LeaveOneOut())
            ).mean()
            for strength in STRENGTHS
        ]
        best = Ridge(STRENGTHS[int(np.argmin(squares))]).fit(scaled, target[others])
        predicted = best.predict(scaler.transform(values[[left_out]]))[0]
        expected.append(abs(target[left_out] - predicted))
    assert leave_one_out(values, target).errors == pytest.approx(expected, rel=1e-6)


def test_the_mean_of_the_others_is_without_oneself():
    assert errors_of_mean(np.array([1.0, 2.0, 6.0])).tolist() == [3.0, 1.5, 4.5]


# The sign-flip test


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_sign_flips_are_those_of_every_pattern(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n).round(2)
    sums = [np.dot(signs, differences) for signs in product((1, -1), repeat=n)]
    exact = np.mean([total >= differences.sum() - 1e-9 for total in sums])
    assert sign_flip_p(differences, SEED) == exact


def test_all_better_is_as_unlikely_as_n_allows_and_no_difference_is_no_evidence():
    assert sign_flip_p(np.full(8, 2.0), SEED) == 1 / 2**8
    assert sign_flip_p(np.zeros(8), SEED) == 1
    assert sign_flip_p(np.full(8, -2.0), SEED) == 1


def test_beyond_twenty_pairs_the_test_draws_and_agrees_with_the_patterns():
    differences = np.random.default_rng(5).normal(0.4, 1, 20)
    exact = sign_flip_p(differences, SEED)
    # A pair without a difference changes no sum, and makes it draw.
    drawn = sign_flip_p(np.append(differences, 0.0), SEED)
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / N_DRAWN))
    assert drawn == sign_flip_p(np.append(differences, 0.0), SEED)


# Intervals


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("n", [4, 5, 8, 9, 10, 19, 20])
def test_an_interval_needs_enough_providers_for_its_level(n, level):
    needed = ceil(round(level * (n + 1), 9))
    ranks = jackknife_ranks(n, level)
    assert (ranks is not None) == (needed <= n)
    if ranks:
        low, high = ranks
        assert high == needed
        assert low == n + 1 - high  # as far from below as the other from above


@pytest.mark.system
@pytest.mark.usefixtures("one_thread")
def test_intervals_hold_the_share_that_they_promise():
    """Of one provider more than was learned from; jackknife+ itself promises 0.6 for 0.8."""
    generator = np.random.default_rng(SEED)
    n_held = 0
    low_rank, high_rank = jackknife_ranks(10, 0.8)
    for _ in range(100):
        values = generator.normal(size=(11, 2))
        target = values[:, 0] + generator.normal(size=11)
        left_out = leave_one_out(values[:10], target[:10])
        predicted = left_out.intercepts + left_out.weights @ values[10]
        low = np.sort(predicted - left_out.errors)[low_rank - 1]
        high = np.sort(predicted + left_out.errors)[high_rank - 1]
        n_held += low <= target[10] <= high
    assert 70 <= n_held <= 95


@pytest.mark.parametrize(("n", "level"), [(8, 0.9), (8, 0.95), (5, 0.9)])
def test_a_level_that_the_providers_cannot_give_is_refused_with_its_reason(n, level):
    generator = np.random.default_rng(n)
    table = fit_opportunity(long(generator.normal(size=(n, 2)), np.arange(n)), "t", level, SEED, 99)
    assert "low_rank" not in metrics_of(table)
    assert settings_of(table)["interval_reason"].startswith(
        f"No {100 * level:g} % interval can be had from {n} providers"
    )


# Too little to learn from


@pytest.mark.parametrize("n", [0, 1, 4])
def test_fewer_than_five_providers_give_no_prediction(n):
    values, target = np.ones((n, 2)), np.arange(n, dtype=float)
    table = fit_opportunity(long(values, target), "opportunity_value", 0.8, SEED, 500)
    assert set(table["component"]) == {"metric", "setting"}
    assert metrics_of(table)["is_reliable"] == 0
    assert settings_of(table)["verdict"] == (
        f"No prediction: {n} providers have the target and every feature, and at least 5 are "
        "needed."
    )


def test_a_provider_without_a_target_or_a_feature_is_not_learned_from():
    values, target = np.random.default_rng(1).normal(size=(8, 2)), np.arange(8, dtype=float)
    target[2], values[5, 1] = np.nan, np.nan
    table = fit_opportunity(long(values, target), "opportunity_value", 0.8, SEED, 500)
    assert (metrics_of(table)["n_rows"], metrics_of(table)["n_fitted"]) == (8, 6)
    folds = table.loc[table["component"] == "line_error", "level"]
    assert folds.tolist() == ["0", "1", "3", "4", "6", "7"]


def test_a_feature_that_nobody_has_gives_no_prediction():
    values = np.random.default_rng(1).normal(size=(8, 2))
    values[:, 1] = np.nan
    table = fit_opportunity(long(values, np.arange(8.0)), "opportunity_value", 0.8, SEED, 500)
    assert settings_of(table)["verdict"].startswith("No prediction: 0 providers")


@pytest.mark.parametrize("target", [np.full(9, 5.0), np.arange(9.0)])
def test_features_all_alike_beat_nothing(target):
    table = fit_opportunity(long(np.ones((9, 2)), target), "opportunity_value", 0.8, SEED, 500)
    assert metrics_of(table)["is_reliable"] == 0
    assert table.loc[table["component"] != "setting", "value"].notna().all()


def test_the_order_of_rows_changes_nothing():
    generator = np.random.default_rng(2)
    rows = long(generator.normal(size=(9, 3)), generator.normal(size=9))
    first, second = (
        fit_opportunity(each, "opportunity_value", 0.8, SEED, 500)
        for each in (rows, rows.sample(frac=1, random_state=1))
    )
    pd.testing.assert_frame_equal(first, second)


def test_above_the_maximum_a_seeded_sample_is_fitted():
    generator = np.random.default_rng(4)
    rows = long(generator.normal(size=(40, 1)), generator.normal(size=40))
    tables = [fit_opportunity(rows, "t", 0.8, seed, 25) for seed in (1, 1, 2)]
    assert [metrics_of(table)["n_fitted"] for table in tables] == [25, 25, 25]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0]["level"].equals(tables[2]["level"])
