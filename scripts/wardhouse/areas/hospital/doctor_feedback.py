"""Tests that SQL should not compute."""

import numpy as np
import pandas as pd
from scipy import stats
from wardhouse.ml.statistics import holm


def _mean_and_deviation(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> tuple:
    mean = total / n
    variance = np.maximum(squares - n * mean**2, 0) / (n - 1)
    return mean, np.sqrt(variance)


def compare_doctors(doctors: pd.DataFrame, minimum_patients: int) -> pd.DataFrame:
    """Test each doctor's patients against all other patients by Welch's t-test (Welch 1947).

    The unit is the patient, who counts once with the mean of the answers given. The two groups
    share nobody: the others are the patients whom the doctor never treated.

    Parameters
    ----------
    doctors
        One row per doctor: `provider_key`, and for the doctor's patients and the others the
        number, the sum and the sum of squares of the patients' mean scores, as in the model
        `doctor_feedback_statistics`.
    minimum_patients
        Smallest number of patients, on either side, for which a test is made.

    Returns
    -------
    DataFrame
        One row per doctor tested: `provider_key`, `mean_difference` (score points, doctor minus
        others), `t_statistic`, `p_value`, `p_value_adjusted` (Holm, over all doctors tested).
    """
    enough = (doctors["n_patients_with_feedback"] >= max(minimum_patients, 2)) & (
        doctors["n_other_patients_with_feedback"] >= max(minimum_patients, 2)
    )
    tested = doctors[enough]
    n_own = tested["n_patients_with_feedback"].to_numpy(float)
    n_others = tested["n_other_patients_with_feedback"].to_numpy(float)
    own_mean, own_deviation = _mean_and_deviation(
        n_own, tested["score_sum"].to_numpy(float), tested["score_square_sum"].to_numpy(float)
    )
    others_mean, others_deviation = _mean_and_deviation(
        n_others,
        tested["other_score_sum"].to_numpy(float),
        tested["other_score_square_sum"].to_numpy(float),
    )
    # Without any spread there is nothing to test; SciPy then gives not-a-number.
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic, p_value = stats.ttest_ind_from_stats(
            own_mean, own_deviation, n_own, others_mean, others_deviation, n_others, equal_var=False
        )
    known = np.isfinite(p_value)
    return pd.DataFrame(
        {
            "provider_key": tested["provider_key"].to_numpy("int64")[known],
            "mean_difference": (own_mean - others_mean)[known],
            "t_statistic": statistic[known],
            "p_value": p_value[known],
            "p_value_adjusted": holm(p_value[known]),
        }
    )
