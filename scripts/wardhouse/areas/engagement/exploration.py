"""What features have to do with each other, and personas with columns that did not make them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from wardhouse.ml.statistics import holm_of_groups
from wardhouse.ml.tidy import Z_95

FEWEST = 10  # rows, below which nothing is estimated


def feature_pairs(values: pd.DataFrame) -> pd.DataFrame:
    """Correlate features in pairs, and test whether one is missing by what another says.

    Parameters
    ----------
    values
        One row per person and feature: `person_type`, `person_key`, `feature`, and `value` in the
        feature's own unit, null where missing.

    Returns
    -------
    DataFrame
        One row per person type and ordered pair of features, `feature` and `other_feature`: `n`
        people with both; `pearson` and `spearman` in -1..1, each with a 95 % interval `_low` and
        `_high`; `n_missing` people with the other feature alone; `missing_difference`, the mean of
        the other feature among them minus that of the rest, in standard deviations; `missing_p` of
        a two-sided Mann-Whitney test of the two, and `missing_p_adjusted` over the pairs of a
        person type. What too few people tell is not-a-number.

    Notes
    -----
    Intervals by Fisher's transformation (1921), for ranks with the variance of Bonett and Wright
    (2000). Missing values are compared by Mann and Whitney (1947), adjusted by Holm (1979).
    """
    rows = []
    for person_type, people in values.groupby("person_type", sort=True):
        wide = people.pivot(index="person_key", columns="feature", values="value").astype(float)
        for feature in wide:
            for other in wide.columns.drop(feature):
                found = {"person_type": person_type, "feature": feature, "other_feature": other}
                rows.append(
                    found
                    | _correlations(wide[feature].to_numpy(), wide[other].to_numpy())
                    | _missingness(wide[feature].to_numpy(), wide[other].to_numpy())
                )
    pairs = pd.DataFrame(rows, columns=list(PAIR_COLUMNS)).astype(PAIR_COLUMNS)
    return pairs.assign(
        missing_p_adjusted=holm_of_groups(pairs.groupby("person_type")["missing_p"])
    )


# Types are stated, so that a table without rows, or of nothing but unknowns, has them too.
_TEXT, _COUNT, _NUMBER = "string", "int64", "float64"
PAIR_COLUMNS = dict.fromkeys(("person_type", "feature", "other_feature"), _TEXT)
PAIR_COLUMNS |= {"n": _COUNT}
PAIR_COLUMNS |= {
    f"{name}{end}": _NUMBER for name in ("pearson", "spearman") for end in ("", "_low", "_high")
}
PAIR_COLUMNS |= {"n_missing": _COUNT}
PAIR_COLUMNS |= {f"missing_{name}": _NUMBER for name in ("difference", "p", "p_adjusted")}


def _correlations(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    found: dict[str, float] = {"n": int(known.sum())}
    if len(first) < FEWEST or np.ptp(first) == 0 or np.ptp(second) == 0:
        return found
    for name, function in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        estimate = float(np.clip(function(first, second).statistic, -1, 1))
        variance = (1 + (estimate**2 / 2 if name == "spearman" else 0)) / (len(first) - 3)
        with np.errstate(divide="ignore"):
            middle = np.arctanh(estimate)
        reach = Z_95 * np.sqrt(variance)
        found |= {
            name: estimate,
            f"{name}_low": float(np.tanh(middle - reach)),
            f"{name}_high": float(np.tanh(middle + reach)),
        }
    return found


def _missingness(feature: np.ndarray, other: np.ndarray) -> dict[str, float]:
    known = np.isfinite(other)
    without, with_it = other[known & ~np.isfinite(feature)], other[known & np.isfinite(feature)]
    found: dict[str, float] = {"n_missing": len(without)}
    if min(len(without), len(with_it)) < FEWEST or np.ptp(other[known]) == 0:
        return found
    return found | {
        "missing_difference": float((without.mean() - with_it.mean()) / other[known].std()),
        "missing_p": float(stats.mannwhitneyu(without, with_it).pvalue),
    }


def persona_differences(people: pd.DataFrame) -> pd.DataFrame:
    """Test personas against columns that did not make them.

    Parameters
    ----------
    people
        One row per person and outside column: `person_type`, `persona_number`, `column_name`,
        `number` (null where the column holds words) and `level` (the word, or the band of the
        number; null where unknown).

    Returns
    -------
    DataFrame
        One row per person type and column: `test`, `n` people known, `n_personas`, `statistic`,
        `p_value`, `p_value_adjusted` over the columns of a person type, and `effect` in 0..1
        (Cramér's V, or epsilon squared of ranks). Fewer than two personas of `FEWEST` people known
        give no test.

    Notes
    -----
    Words by Pearson's chi-square, numbers by Kruskal and Wallis (1952), adjusted by Holm (1979).
    """
    rows = []
    for (person_type, column), group in people.groupby(["person_type", "column_name"], sort=True):
        known = group[group["level"].notna()]
        sizes = known["persona_number"].value_counts()
        known = known[known["persona_number"].isin(sizes.index[sizes >= FEWEST])]
        is_number = known["number"].notna().all()
        row = {
            "person_type": person_type,
            "column_name": column,
            "test": "Kruskal-Wallis" if is_number else "chi-square",
            "n": len(known),
            "n_personas": known["persona_number"].nunique(),
        }
        varies = known["number"].nunique() if is_number else known["level"].nunique()
        if row["n_personas"] > 1 and varies > 1:
            row |= _ranks_differ(known) if is_number else _words_differ(known)
        rows.append(row)
    tests = pd.DataFrame(rows, columns=list(TEST_COLUMNS)).astype(TEST_COLUMNS)
    return tests.assign(p_value_adjusted=holm_of_groups(tests.groupby("person_type")["p_value"]))


TEST_COLUMNS = dict.fromkeys(("person_type", "column_name", "test"), _TEXT)
TEST_COLUMNS |= dict.fromkeys(("n", "n_personas"), _COUNT)
TEST_COLUMNS |= dict.fromkeys(("statistic", "p_value", "p_value_adjusted", "effect"), _NUMBER)


def _ranks_differ(known: pd.DataFrame) -> dict[str, float]:
    groups = [part.to_numpy(float) for _, part in known.groupby("persona_number")["number"]]
    found = stats.kruskal(*groups)
    return {
        "statistic": float(found.statistic),
        "p_value": float(found.pvalue),
        "effect": float(found.statistic / (len(known) - 1)),
    }


def _words_differ(known: pd.DataFrame) -> dict[str, float]:
    table = pd.crosstab(known["persona_number"], known["level"]).to_numpy()
    found = stats.chi2_contingency(table, correction=False)
    return {
        "statistic": float(found.statistic),
        "p_value": float(found.pvalue),
        "effect": float(np.sqrt(found.statistic / table.sum() / (min(table.shape) - 1))),
    }
