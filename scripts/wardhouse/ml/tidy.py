"""The one table in which every fit writes down what it found: a row per fitted value.

component
    What kind of value it is. Of a model: `intercept`, `scaler_mean` and `scaler_scale` (in units
    of the feature), `coefficient` (per scaled unit), `centroid` (in scaled units), `calibration`,
    `baseline`, `weight`; `line_intercept`, `line_weight` (per unit of the feature) and `line_error`
    of several lines, each a level. Of the fit: `metric` and `setting`.
feature
    The feature, metric or setting that the value is of.
level
    Which one of several the value is of: the level of a feature that is a word, the cluster of a
    centroid. Null for numbers, and for what is of all levels.
value
    The number; null for a setting.
text
    The words of a setting; null for a number.

Every fit has the settings `task`, `data_fingerprint` and `settings` (JSON, with the versions of
the libraries), and the metric `n_fitted`. The macros of `macros/ml` read this table.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = ("component", "feature", "level", "value", "text")
MINIMUM_ROWS = 20  # fewer to learn from, or to score by, give nothing
MINIMUM_CASES = 5  # of either outcome
Z_95 = 1.959963984540054

Rows = TypeVar("Rows", pd.DataFrame, np.ndarray)


def value_row(component: str, feature: str, value: float, level: str | None = None) -> dict:
    """Return one row of the tidy table: a number."""
    return {
        "component": component,
        "feature": feature,
        "level": level,
        "value": float(value),
        "text": None,
    }


def value_rows(
    component: str, features: Iterable[str], values: Iterable[float], level: str | None = None
) -> list[dict]:
    """Return a row of the tidy table for each feature: numbers of one component and level."""
    pairs = zip(features, values, strict=True)
    return [value_row(component, feature, value, level) for feature, value in pairs]


def tidy_table(
    task: str,
    data_fingerprint: str,
    settings: dict,
    metrics: dict[str, float],
    parameters: list[dict],
    further: dict[str, str | None] | None = None,
) -> pd.DataFrame:
    """Put parameters, metrics and settings together.

    Parameters
    ----------
    task : str
        What was learned.
    data_fingerprint : str
        As `fingerprint` makes it.
    settings : dict
        Settings of the fit; the versions of the libraries are added.
    metrics : dict of str to float
        A metric that is not finite is not known and has no row.
    parameters : list of dict
        Rows of `value_row`.
    further : dict of str to str, optional
        Further settings, a row each.

    Returns
    -------
    DataFrame
        With the columns of the module's docstring.
    """
    known = {name: value for name, value in metrics.items() if np.isfinite(value)}
    rows = [*parameters, *value_rows("metric", known.keys(), known.values())]
    texts = {
        "task": task,
        "data_fingerprint": data_fingerprint,
        "settings": settings_text(settings),
    }
    for name, text in (texts | (further or {})).items():
        rows.append(value_row("setting", name, np.nan) | {"text": text})
    return pd.DataFrame(rows, columns=COLUMNS).astype({"level": "string", "text": "string"})


def with_verdict(metrics: dict[str, float]) -> dict[str, float]:
    """Add `is_reliable` where it is missing: whether the score's interval is above the baseline.

    A fit without a score is not reliable.
    """
    low, baseline = (metrics.get(name, np.nan) for name in ("score_low", "baseline_score"))
    return {"is_reliable": float(low > baseline)} | metrics


def held_out_from(day: pd.Timestamp | None) -> dict[str, str | None]:
    """Tell the first day held out as a further setting."""
    return {"held_out_from": None if day is None else day.date().isoformat()}


def fingerprint(*data: pd.DataFrame | np.ndarray) -> str:
    """Hash what was learned from by SHA-256: every value, and the order of the rows."""
    digest = hashlib.sha256()
    for part in data:
        if isinstance(part, pd.DataFrame):
            part = pd.util.hash_pandas_object(part, index=False).to_numpy()
        digest.update(np.ascontiguousarray(part))
    return digest.hexdigest()


def settings_text(settings: dict) -> str:
    """Write settings of a fit, with the versions of the libraries, as JSON."""
    return json.dumps(settings | versions(), sort_keys=True)


def versions() -> dict[str, str]:
    """Name the versions of the libraries that fit."""
    import sklearn

    return {"scikit_learn": sklearn.__version__, "numpy": np.__version__}


def split_day(dates: pd.Series, train_share: float) -> pd.Timestamp | None:
    """Find the first day held out: the day that the row at the share falls on.

    Parameters
    ----------
    dates : Series of datetime, shape (n,)
        In order of time.
    train_share : float
        Share of the rows to learn from, at most: a day is not divided.

    Returns
    -------
    Timestamp or None
        None where there is no row.
    """
    if dates.empty:
        return None
    return pd.Timestamp(dates.iloc[min(int(len(dates) * train_share), len(dates) - 1)])


def is_before(dates: pd.Series, day: pd.Timestamp | None) -> np.ndarray:
    """Mark the dates before a day, shape (n,); none where there is no day."""
    return np.zeros(0, dtype=bool) if day is None else (dates < day).to_numpy(bool)


def sampled(rows: Rows, max_rows: int, seed: int) -> Rows:
    """Take a seeded sample without replacement, in order, where there are more rows."""
    if len(rows) <= max_rows:
        return rows
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:max_rows])
    return rows.iloc[chosen] if isinstance(rows, pd.DataFrame) else rows[chosen]
