"""Tests behind the statements people make of their data, from sums that SQL computed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wardhouse.ml.statistics import holm_of_groups

FEWEST_EXPECTED = 5  # below it the chi-square distribution is no guide (Cochran 1954)
N_RANDOM_TABLES = 9999
RANDOM_SEED = 42


@dataclass(frozen=True)
class Verdict:
    """What a test found.

    Attributes
    ----------
    value
        The figure that the statement is about.
    group
        The group that has it, or an empty text.
    n
        Observations that the value rests on.
    statistic, p_value
        Of the test; not-a-number where it cannot be made.
    degrees_of_freedom, residual_degrees_of_freedom
        Of the statistic's distribution; not-a-number where it has none.
    """

    value: float
    group: str
    n: int
    statistic: float = np.nan
    p_value: float = np.nan
    degrees_of_freedom: float = np.nan
    residual_degrees_of_freedom: float = np.nan


def binomial_against_half(groups: pd.DataFrame, pick: str = "") -> Verdict:
    """Test whether a share is above one half by the exact binomial test, one-sided.

    Parameters
    ----------
    groups
        One row: `n` and `y_sum`, the number of successes.
    pick
        Not used.

    Returns
    -------
    Verdict
        The value and the statistic are the share.
    """
    n, successes = int(groups["n"].sum()), int(groups["y_sum"].sum())
    result = stats.binomtest(successes, n, 0.5, alternative="greater")
    return Verdict(successes / n, "", n, result.statistic, result.pvalue)


def chi_square(groups: pd.DataFrame, pick: str) -> Verdict:
    """Test whether a share is the same in all groups by Pearson's chi-square (Pearson 1900).

    Parameters
    ----------
    groups
        One row per group: `group_name`, `n` and `y_sum`, the number of successes.
    pick
        highest or lowest: the group the value is of.

    Returns
    -------
    Verdict
        The value is the share in the group picked. No continuity correction is made.
    """
    found = _picked(groups, pick)
    n, successes = groups["n"].to_numpy(float), groups["y_sum"].to_numpy(float)
    if len(groups) < 2 or successes.sum() in (0, n.sum()):
        return found
    result = stats.chi2_contingency(np.vstack([successes, n - successes]), correction=False)
    return _with_test(found, result.statistic, result.pvalue, result.dof)


def chi_square_by_margins(groups: pd.DataFrame, pick: str) -> Verdict:
    """Test whether a share is the same in all groups, also where successes or failures are few.

    Where fewer than five of either are expected in a group, the p-value is that of Pearson's
    statistic among random tables with the same margins (Patefield 1981). Where all or none
    succeed there is only one such table: the p-value is 1, and the groups do not differ.

    Parameters
    ----------
    groups
        One row per group: `group_name`, `n` and `y_sum`, the number of successes.
    pick
        highest or lowest: the group the value is of.

    Returns
    -------
    Verdict
        The value is the share in the group picked. No continuity correction is made.
    """
    found = _picked(groups, pick)
    n, successes = groups["n"].to_numpy(int), groups["y_sum"].to_numpy(int)
    if len(groups) < 2:
        return found
    if successes.sum() in (0, n.sum()):
        return _with_test(found, 0.0, 1.0, len(groups) - 1)
    table = np.vstack([successes, n - successes])
    expected = stats.contingency.expected_freq(table)
    statistic = ((table - expected) ** 2 / expected).sum()
    degrees = len(groups) - 1
    if expected.min() >= FEWEST_EXPECTED:
        return _with_test(found, statistic, stats.chi2.sf(statistic, degrees), degrees)
    margins = stats.random_table(table.sum(axis=1), table.sum(axis=0))
    tables = margins.rvs(N_RANDOM_TABLES, random_state=np.random.default_rng(RANDOM_SEED))
    drawn = ((tables - expected) ** 2 / expected).sum(axis=(1, 2))
    # Equal tables may differ in the last digit of the statistic; the observed one counts as drawn.
    n_as_extreme = np.count_nonzero(drawn >= statistic * (1 - 1e-9))
    return _with_test(found, statistic, (1 + n_as_extreme) / (1 + N_RANDOM_TABLES), degrees)


def one_way_anova(groups: pd.DataFrame, pick: str) -> Verdict:
    """Test whether a mean is the same in all groups by one-way analysis of variance (Fisher 1925).

    Parameters
    ----------
    groups
        One row per group: `group_name`, `n`, `y_sum` and `y_square_sum`.
    pick
        highest or lowest: the group the value is of.

    Returns
    -------
    Verdict
        The value is the mean of the group picked; the statistic is F.
    """
    found = _picked(groups, pick)
    n, sums = groups["n"].to_numpy(float), groups["y_sum"].to_numpy(float)
    between, within = len(n) - 1, n.sum() - len(n)
    if between < 1 or within < 1:
        return found
    explained = (sums**2 / n).sum() - sums.sum() ** 2 / n.sum()
    rest = groups["y_square_sum"].sum() - (sums**2 / n).sum()
    if rest <= 1e-9 * abs(groups["y_square_sum"].sum()):
        return found
    statistic = max(explained, 0) / between / (rest / within)
    return _with_test(found, statistic, stats.f.sf(statistic, between, within), between, within)


def best_against_the_rest(groups: pd.DataFrame, pick: str) -> Verdict:
    """Test the best group against all others together by Welch's t-test (Welch 1947).

    The best was looked for, so its p-value is multiplied by the number of groups (Bonferroni).

    Parameters
    ----------
    groups
        One row per group: `group_name`, `n`, `y_sum` and `y_square_sum`.
    pick
        highest or lowest: the group the value is of.

    Returns
    -------
    Verdict
        The value is the mean of the group picked; the statistic is t.
    """
    found = _picked(groups, pick)
    is_best = groups["group_name"] == found.group
    if len(groups) < 2:
        return found
    moments = []
    for part in (groups[is_best], groups[~is_best]):
        n, total, squares = (part[name].sum() for name in ("n", "y_sum", "y_square_sum"))
        if n < 2:
            return found
        moments += [total / n, np.sqrt(max(squares - total**2 / n, 0) / (n - 1)), n]
    if moments[1] == moments[4] == 0:
        return found
    result = stats.ttest_ind_from_stats(*moments, equal_var=False)
    p_value = min(1.0, result.pvalue * len(groups))
    return _with_test(found, result.statistic, p_value)


def pearson_correlation(groups: pd.DataFrame, pick: str = "") -> Verdict:
    """Test whether two quantities are linearly related by Pearson's correlation (Student 1908).

    Parameters
    ----------
    groups
        One row: `n`, `x_sum`, `x_square_sum`, `y_sum`, `y_square_sum` and `xy_sum`.
    pick
        Not used.

    Returns
    -------
    Verdict
        The value and the statistic are r; the test is on n - 2 degrees of freedom.
    """
    n, x, xx, y, yy, xy = (
        float(groups[name].sum())
        for name in ("n", "x_sum", "x_square_sum", "y_sum", "y_square_sum", "xy_sum")
    )
    x_spread, y_spread = xx - x**2 / n, yy - y**2 / n
    if n < 3 or x_spread <= 1e-9 * xx or y_spread <= 1e-9 * yy:
        return Verdict(np.nan, "", int(n))
    r = float(np.clip((xy - x * y / n) / np.sqrt(x_spread * y_spread), -1, 1))
    with np.errstate(divide="ignore"):
        t = abs(r) * np.sqrt((n - 2) / np.float64(1 - r**2))
    return Verdict(r, "", int(n), r, 2 * stats.t.sf(t, n - 2), n - 2)


TESTS: dict[str, Callable[[pd.DataFrame, str], Verdict]] = {
    "binomial against one half": binomial_against_half,
    "chi-square": chi_square,
    "chi-square with the same margins": chi_square_by_margins,
    "one-way analysis of variance": one_way_anova,
    "Welch t of the best against all others with Bonferroni": best_against_the_rest,
    "Pearson correlation": pearson_correlation,
}


def _picked(groups: pd.DataFrame, pick: str) -> Verdict:
    """Find the group with the highest or lowest mean; of equal ones the first by name."""
    ordered = groups.sort_values("group_name")
    means = ordered["y_sum"].to_numpy(float) / ordered["n"].to_numpy(float)
    place = int(np.argmin(means) if pick == "lowest" else np.argmax(means))
    return Verdict(
        float(means[place]), str(ordered["group_name"].iloc[place]), int(ordered["n"].iloc[place])
    )


def _with_test(
    found: Verdict, statistic: float, p_value: float, degrees: float = np.nan, rest: float = np.nan
) -> Verdict:
    return Verdict(found.value, found.group, found.n, statistic, p_value, degrees, rest)


def state(definition: Any, groups: pd.DataFrame, told: pd.DataFrame) -> str:
    """Put what the groups bear out into a sentence.

    Parameters
    ----------
    definition
        `statement`, `statement_if_zero`, `statement_if_none`, `subject` and `metric`, texts of the
        seed insight_definitions, and `pick`.
    groups
        One row per group with enough data: `group_name`, `n` and `y_sum`.
    told
        The same of all groups, with enough data or not.

    Returns
    -------
    str
        The statement, with the group picked or all that are equal to it. Where there is nothing to
        compare, or no group is ahead of any other, it says so.
    """
    if "{group}" not in definition.statement:
        return str(definition.statement)
    subject = definition.subject[:1].upper() + definition.subject[1:]
    if groups.empty:
        nothing = f"{subject} cannot be compared: there is too little data"
        return (told["n"].eq(0).all() and _text(definition.statement_if_none)) or nothing
    if len(groups) == 1:
        name = groups["group_name"].iloc[0]
        return f"{subject} cannot be compared: only {name} has enough data"
    leaders = _leaders(groups, definition.pick)
    if len(leaders) == len(groups):
        some = " with enough data" if len(groups) < len(told) else ""
        same = f"The {definition.metric} is the same for all {definition.subject}{some}"
        return (told["y_sum"].eq(0).all() and _text(definition.statement_if_zero)) or same
    names = " and ".join(filter(None, [", ".join(leaders[:-1]), leaders[-1]]))
    form = r"\1" if len(leaders) == 1 else r"\2"
    statement = re.sub(r"\{([^{}|]*)\|([^{}|]*)\}", form, definition.statement)
    if not statement.startswith("{group}"):
        names = names.replace("Under", "under")
    return statement.replace("{group}", names)


def untested_because(test: str, groups: pd.DataFrame) -> str:
    """Tell why groups that give no p-value give none.

    Parameters
    ----------
    test
        One of `TESTS`.
    groups
        One row per group with enough data: `n`, `y_sum` and `y_square_sum`.

    Returns
    -------
    str
        Nothing where all is the same, which is an answer.
    """
    if groups.empty or (test == "Pearson correlation" and groups["n"].sum() < 3):
        return "too few to tell"
    if test == "Pearson correlation":
        return ""
    if len(groups) < 2 or groups["n"].min() < 2:
        return "too few to tell"
    is_same = len(_leaders(groups, "highest")) == len(groups)
    return "" if is_same else "nothing varies within a group"


def _text(value: Any) -> str:
    """Return a cell of a seed, of which DuckDB reads an empty one as null."""
    return value if isinstance(value, str) else ""


def _leaders(groups: pd.DataFrame, pick: str) -> list[str]:
    """Name all groups whose mean is the highest or lowest, by name."""
    ordered = groups.sort_values("group_name")
    means = ordered["y_sum"].to_numpy(float) / ordered["n"].to_numpy(float)
    best = means.min() if pick == "lowest" else means.max()
    return [str(name) for name in ordered["group_name"][np.isclose(means, best, rtol=1e-9, atol=0)]]


def judge_insights(
    statistics: pd.DataFrame, definitions: pd.DataFrame, minimum_group_size: int
) -> pd.DataFrame:
    """Test every statement that the statistics have anything to say about.

    Parameters
    ----------
    statistics
        Sums by `area`, `insight` and `group_name`, as in `telehealth_insight_statistics`.
    definitions
        One row per statement: `area`, `insight`, `test` (one of `TESTS`) and `pick`, and the texts
        that `state` takes; without them no statement is made.
    minimum_group_size
        Smaller groups take no part.

    Returns
    -------
    DataFrame
        One row per statement with data: `area`, `insight`, `statement`, `group_name`, `value`, `n`,
        `n_compared`, `statistic`, `degrees_of_freedom`, `residual_degrees_of_freedom`, `p_value`,
        `untested_because` (see the function, empty where there is a p-value) and
        `p_value_adjusted` (Holm, over the statements of an area).
    """
    rows = []
    for definition in definitions.sort_values(["area", "insight"]).itertuples():
        told = statistics[
            (statistics["area"] == definition.area) & (statistics["insight"] == definition.insight)
        ]
        if told.empty:
            continue
        groups = told[told["n"] >= max(minimum_group_size, 1)]
        pick = definition.pick if isinstance(definition.pick, str) else ""
        if groups.empty:
            found = Verdict(np.nan, "", 0)
        else:
            found = TESTS[definition.test](groups.sort_values("group_name"), pick)
        rows.append(
            {
                "area": definition.area,
                "insight": definition.insight,
                "statement": state(definition, groups, told)
                if hasattr(definition, "subject")
                else "",
                "group_name": found.group,
                "value": found.value,
                "n": found.n,
                "n_compared": int(groups["n"].sum()),
                "statistic": found.statistic,
                "degrees_of_freedom": found.degrees_of_freedom,
                "residual_degrees_of_freedom": found.residual_degrees_of_freedom,
                "p_value": found.p_value,
                "untested_because": untested_because(definition.test, groups)
                if np.isnan(found.p_value)
                else "",
            }
        )
    # Named with their types, so that a table without statements has them too.
    types = {
        "area": "str",
        "insight": "str",
        "statement": "str",
        "group_name": "str",
        "value": "float64",
        "n": "int64",
        "n_compared": "int64",
        "statistic": "float64",
        "degrees_of_freedom": "float64",
        "residual_degrees_of_freedom": "float64",
        "p_value": "float64",
        "untested_because": "str",
        "p_value_adjusted": "float64",
    }
    judged = pd.DataFrame(rows, columns=list(types)).astype(types)
    return judged.assign(p_value_adjusted=holm_of_groups(judged.groupby("area")["p_value"]))
