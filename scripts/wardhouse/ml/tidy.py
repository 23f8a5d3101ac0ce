"""TODO ml.tidy."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd

MINIMUM_ROWS = 20  # fewer to learn from, or to judge by, give nothing
MINIMUM_CASES = 5  # of either outcome
Z_95 = 1.959963984540054


def value_row(component: str, feature: str, value: float, level: str | None = None) -> dict:
    """Return one row of the tidy table: a number."""
    return {
        "component": component,
        "feature": feature,
        "level": level,
        "value": float(value),
        "text": None,
    }


def tidy_table(
    task: str,
    data: pd.DataFrame,
    settings: dict,
    metrics: dict[str, float],
    parameters: list[dict],
    held_out_from: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Put parameters, metrics and settings together; a metric that is not known has no row."""
    low, baseline = metrics.get("score_low", np.nan), metrics.get("baseline_score", np.nan)
    metrics = metrics | {"is_reliable": metrics.get("is_reliable", float(low > baseline))}
    rows = [*parameters, *(value_row("metric", k, v) for k, v in metrics.items() if np.isfinite(v))]
    hashes = pd.util.hash_pandas_object(data, index=False).to_numpy()
    texts = {
        "task": task,
        "data_fingerprint": hashlib.sha256(hashes.tobytes()).hexdigest(),
        "settings": json.dumps(settings | versions(), sort_keys=True),
        "held_out_from": None if held_out_from is None else held_out_from.date().isoformat(),
    }
    for name, text in texts.items():
        rows.append(value_row("setting", name, np.nan) | {"text": text})
    frame = pd.DataFrame(rows, columns=["component", "feature", "level", "value", "text"])
    return frame.astype({"level": "string", "text": "string"})


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


def sampled(rows: pd.DataFrame, max_rows: int, seed: int) -> pd.DataFrame:
    """Take a seeded sample without replacement, in order, where there are more rows."""
    if len(rows) <= max_rows:
        return rows
    chosen = np.random.default_rng(seed).permutation(len(rows))[:max_rows]
    return rows.iloc[np.sort(chosen)]
