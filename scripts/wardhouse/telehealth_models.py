"""Telehealth's models: fitted and judged here, applied by SQL models of the folder `ml`.

Every fit returns the same tidy table, one row per value:

- `component`: setting, metric, intercept, scaler_mean, scaler_scale, coefficient, calibration,
  baseline or weight
- `feature`: feature, metric or setting that the value is of
- `level`: level of a feature that is a word; null for numbers and everything else
- `value`: the number; not-a-number for settings
- `text`: value of a setting

The metrics `score`, `score_low`, `score_high` and `baseline_score` are comparable inside a task,
more is better, and `is_reliable` is 1 where the lower bound of the 95 % interval lies above the
baseline out of time. What is published is what was judged: the newest appointments inform nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wardhouse.threads import single_threaded

NO_SHOW_LEVELS = (
    *("appointment_type", "day_name", "scheduled_hour", "previous_device_type"),
    *("age_group", "insurance", "specialty"),
)
NO_SHOW_NUMBERS = ("n_prior_appointments", "n_prior_no_shows")
DURATION_LEVELS = ("appointment_type", "specialty", "age_group")
L2_WEIGHT = 10.0  # on standardised features, in both linear models
MINIMUM_ROWS = 20  # fewer to learn from, or to judge by, give nothing
MINIMUM_CASES = 5  # of either outcome
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Design:
    """How features become the columns of a linear model, learned from m rows.

    Attributes
    ----------
    columns : list of (str, str or None)
        Feature and level of each of the d columns; a number has no level.
    mean, scale : numpy.ndarray, shape (d,)
        In units of the feature; a level counts as 0 or 1. A constant has scale 1.
    """

    columns: list[tuple[str, str | None]]
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, rows: pd.DataFrame, levels: tuple[str, ...], numbers: tuple[str, ...]) -> Design:
        """Take the levels, means and deviations of these rows."""
        columns: list[tuple[str, str | None]] = [
            (feature, str(level)) for feature in levels for level in sorted(rows[feature].unique())
        ]
        columns += [(feature, None) for feature in numbers]
        unscaled = cls(columns, np.zeros(len(columns)), np.ones(len(columns))).matrix(rows)
        deviation = unscaled.std(axis=0)
        return cls(columns, unscaled.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def matrix(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the standardised columns, shape (n, d). An unseen level is none of the levels."""
        raw = np.column_stack(
            [
                rows[feature].to_numpy(float)
                if level is None
                else (rows[feature] == level).to_numpy(float)
                for feature, level in self.columns
            ]
        )
        return (raw - self.mean) / self.scale


def _value(component: str, feature: str, value: float, level: str | None = None) -> dict:
    return {
        "component": component,
        "feature": feature,
        "level": level,
        "value": float(value),
        "text": None,
    }


def _linear(design: Design, coefficients: np.ndarray, intercept: float) -> list[dict]:
    """Tell a linear model in tidy rows."""
    rows = [_value("intercept", "intercept", intercept)]
    for component, values in (
        ("scaler_mean", design.mean),
        ("scaler_scale", design.scale),
        ("coefficient", coefficients),
    ):
        rows += [
            _value(component, feature, value, level)
            for (feature, level), value in zip(design.columns, values, strict=True)
        ]
    return rows


def _tidy(
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
    rows = [*parameters, *(_value("metric", k, v) for k, v in metrics.items() if np.isfinite(v))]
    hashes = pd.util.hash_pandas_object(data, index=False).to_numpy()
    texts = {
        "task": task,
        "data_fingerprint": hashlib.sha256(hashes.tobytes()).hexdigest(),
        "settings": json.dumps(settings | _versions(), sort_keys=True),
        "held_out_from": None if held_out_from is None else held_out_from.date().isoformat(),
    }
    for name, text in texts.items():
        rows.append(_value("setting", name, np.nan) | {"text": text})
    frame = pd.DataFrame(rows, columns=["component", "feature", "level", "value", "text"])
    return frame.astype({"level": "string", "text": "string"})


def _versions() -> dict[str, str]:
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


def _is_before(dates: pd.Series, day: pd.Timestamp | None) -> np.ndarray:
    return np.zeros(0, dtype=bool) if day is None else (dates < day).to_numpy(bool)


def _sampled(rows: pd.DataFrame, max_rows: int, seed: int) -> pd.DataFrame:
    """Take a seeded sample without replacement, in order, where there are more rows."""
    if len(rows) <= max_rows:
        return rows
    chosen = np.random.default_rng(seed).permutation(len(rows))[:max_rows]
    return rows.iloc[np.sort(chosen)]


def delong(is_case: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve and its standard error, by DeLong, DeLong and Clarke-Pearson (1988).

    Parameters
    ----------
    is_case : numpy.ndarray, shape (n,), bool
    score : numpy.ndarray, shape (n,)
        Higher for likelier cases; ties count half.

    Returns
    -------
    tuple of float
        Area in 0..1 and its standard error. Both need two cases and two others.

    Notes
    -----
    By mid-ranks (Sun and Xu 2014), in n log n.
    """
    from scipy.stats import rankdata

    case, other = score[is_case], score[~is_case]
    together = rankdata(np.concatenate([case, other]))
    above = (together[: len(case)] - rankdata(case)) / len(other)
    below = 1 - (together[len(case) :] - rankdata(other)) / len(case)
    variance = above.var(ddof=1) / len(case) + below.var(ddof=1) / len(other)
    return float(above.mean()), float(np.sqrt(variance))


def _logistic(weight: float):
    from sklearn.linear_model import LogisticRegression

    strength = 1 / weight if weight else np.inf
    # Newton's method to a tight bound: the order of columns and threads cannot show.
    return LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-12, max_iter=200)


def _platt(standard: np.ndarray, is_case: np.ndarray, seed: int) -> tuple[float, float]:
    """Slope and intercept that turn scores into log-odds (Platt 1999), from out-of-fold scores.

    Where scores of rows not learned from say nothing or the contrary, the slope is 0: everybody
    has the base rate.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(MINIMUM_CASES, shuffle=True, random_state=seed)
    scores = cross_val_predict(
        _logistic(L2_WEIGHT), standard, is_case, cv=folds, method="decision_function"
    )
    share = is_case.mean()
    flat = 0.0, float(np.log(share / (1 - share)))
    if scores.std() < 1e-9:
        return flat
    fit = _logistic(0).fit(scores[:, None], is_case)
    slope, intercept = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    return (slope, intercept) if slope > 0 else flat


def _judge_probabilities(
    is_case: np.ndarray, probability: np.ndarray, base_rate: float
) -> dict[str, float]:
    """Judge probabilities of rows that nothing was learned from; both outcomes must be there."""
    area, error = delong(is_case, probability)
    n_top = max(1, len(is_case) // 10)
    top = np.argsort(-probability, kind="stable")[:n_top]
    brier = float(np.mean((probability - is_case) ** 2))
    brier_baseline = float(np.mean((base_rate - is_case) ** 2))
    low, high = max(0.0, area - Z_95 * error), min(1.0, area + Z_95 * error)
    return {
        "score": area,
        "score_low": low,
        "score_high": high,
        "baseline_score": 0.5,
        "brier": brier,
        "brier_baseline": brier_baseline,
        "lift_top_decile": float(is_case[top].mean() / is_case.mean()),
        "mean_probability": float(probability.mean()),
        "observed_rate": float(is_case.mean()),
        "is_reliable": float(low > 0.5 and brier < brier_baseline),
    }


def fit_no_show(
    appointments: pd.DataFrame, seed: int, train_share: float, max_rows: int
) -> pd.DataFrame:
    """Fit the risk that a booked appointment is missed, by logistic regression.

    Parameters
    ----------
    appointments : DataFrame
        Rows of `appointment_no_show_features` by time and identifier: `appointment_date`,
        `is_no_show`, each of `NO_SHOW_LEVELS` (words) and of `NO_SHOW_NUMBERS` (counts).
    seed : int
        Of folds and samples.
    train_share : float
        Share of the rows, the oldest, that is learned from.
    max_rows : int
        Rows learned from at most; above it a seeded sample.

    Returns
    -------
    DataFrame
        The tidy table. Score is the area under the ROC curve with DeLong's interval, its baseline
        0.5; reliable means that the interval lies above it and the Brier score below that of the
        base rate. With fewer than `MINIMUM_ROWS` rows or `MINIMUM_CASES` of an outcome to learn
        from there are no coefficients; with fewer to judge by there is no score. Neither is
        reliable.

    Notes
    -----
    L2 on standardised features (Hoerl and Kennard 1970), calibrated by Platt (1999) on
    out-of-fold scores of the training rows.
    """
    day = split_day(appointments["appointment_date"], train_share)
    is_old = _is_before(appointments["appointment_date"], day)
    train, test = _sampled(appointments[is_old], max_rows, seed), appointments[~is_old]
    missed = train["is_no_show"].to_numpy(bool)
    n_cases = int(min(missed.sum(), (~missed).sum()))
    metrics: dict[str, float] = {
        "n_rows": len(appointments),
        "n_fitted": len(train),
        "n_held_out": len(test),
    }
    base_rate = float(appointments["is_no_show"].mean() if train.empty else missed.mean())
    rows = [] if np.isnan(base_rate) else [_value("baseline", "base_rate", base_rate)]
    if len(train) >= MINIMUM_ROWS and n_cases >= MINIMUM_CASES:
        with single_threaded():
            design = Design.learn(train, NO_SHOW_LEVELS, NO_SHOW_NUMBERS)
            standard = design.matrix(train)
            slope, intercept = _platt(standard, missed, seed)
            fit = _logistic(L2_WEIGHT).fit(standard, missed)
            rows += _linear(design, fit.coef_[0], fit.intercept_[0])
            rows += [_value("calibration", "slope", slope)]
            rows += [_value("calibration", "intercept", intercept)]
            came_out = test["is_no_show"].to_numpy(bool)
            if min(came_out.sum(), (~came_out).sum()) >= MINIMUM_CASES:
                log_odds = intercept + slope * fit.decision_function(design.matrix(test))
                metrics |= _judge_probabilities(came_out, 1 / (1 + np.exp(-log_odds)), base_rate)
    settings = {
        "seed": seed,
        "train_share": train_share,
        "max_rows": max_rows,
        "l2_weight": L2_WEIGHT,
    }
    return _tidy("appointment_no_show_risk", appointments, settings, metrics, rows, day)


def _judge_forecasts(actual: np.ndarray, forecast: np.ndarray, mean: np.ndarray) -> dict:
    """Judge forecasts in minutes against means, by what they take off the squared error."""
    error, plain = actual - forecast, actual - mean
    square_plain = float(np.mean(plain**2))
    found = {
        "mae": float(np.mean(np.abs(error))),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae_baseline": float(np.mean(np.abs(plain))),
        "rmse_baseline": float(np.sqrt(square_plain)),
        "baseline_score": 0.0,
    }
    if square_plain == 0:
        return found
    gain = (plain**2 - error**2) / square_plain
    margin = Z_95 * float(gain.std(ddof=1)) / np.sqrt(len(gain))
    score = float(gain.mean())
    return found | {"score": score, "score_low": score - margin, "score_high": score + margin}


def fit_duration(
    appointments: pd.DataFrame, seed: int, train_share: float, max_rows: int
) -> pd.DataFrame:
    """Fit the minutes that a visit takes, by ridge regression.

    Parameters
    ----------
    appointments : DataFrame
        Rows of `appointment_duration_features` by time and identifier: `appointment_date`,
        `duration_minutes` (not-a-number where the visit did not take place) and each of
        `DURATION_LEVELS`.
    seed, train_share, max_rows
        As in `fit_no_show`.

    Returns
    -------
    DataFrame
        The tidy table. The baseline is the mean by appointment type of the rows learned from, of
        all of them for an unseen type. Score is the share of the baseline's squared error that
        the model takes away out of time, its baseline 0. With fewer than `MINIMUM_ROWS` visits to
        learn from there are no coefficients, with fewer to judge by no score.

    Notes
    -----
    Ridge regression (Hoerl and Kennard 1970) on standardised dummies. The interval is that of the
    mean difference of losses (Diebold and Mariano 1995), visits taken as independent.
    """
    from sklearn.linear_model import Ridge

    visits = appointments[appointments["duration_minutes"].notna()]
    day = split_day(visits["appointment_date"], train_share)
    is_old = _is_before(visits["appointment_date"], day)
    train, test = _sampled(visits[is_old], max_rows, seed), visits[~is_old]
    metrics: dict[str, float] = {
        "n_rows": len(appointments),
        "n_fitted": len(train),
        "n_held_out": len(test),
    }
    rows: list[dict] = []
    if len(train) >= MINIMUM_ROWS:
        minutes = train["duration_minutes"].to_numpy(float)
        means = train.groupby("appointment_type")["duration_minutes"].mean()
        rows = [_value("baseline", "mean_minutes", minutes.mean())]
        rows += [_value("baseline", "mean_minutes", mean, level) for level, mean in means.items()]
        with single_threaded():
            design = Design.learn(train, DURATION_LEVELS, ())
            fit = Ridge(alpha=L2_WEIGHT, solver="cholesky").fit(design.matrix(train), minutes)
            rows += _linear(design, fit.coef_, fit.intercept_)
            if len(test) >= MINIMUM_ROWS:
                plain = test["appointment_type"].map(means).fillna(minutes.mean()).to_numpy(float)
                forecast = fit.predict(design.matrix(test))
                actual = test["duration_minutes"].to_numpy(float)
                metrics |= _judge_forecasts(actual, forecast, plain)
    settings = {
        "seed": seed,
        "train_share": train_share,
        "max_rows": max_rows,
        "l2_weight": L2_WEIGHT,
    }
    return _tidy("appointment_duration_forecast", appointments, settings, metrics, rows, day)


def score_comments(comments: pd.DataFrame) -> pd.DataFrame:
    """Score the mood of comments by VADER's word list and rules (Hutto and Gilbert 2014).

    Parameters
    ----------
    comments : DataFrame
        `comment_hash` and `comment_text`, one row per distinct comment.

    Returns
    -------
    DataFrame
        `comment_hash` and `sentiment_score`: VADER's compound score, -1 (worst) to 1 (best).
        The text stays where it was.
    """
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    score = SentimentIntensityAnalyzer().polarity_scores
    scores = [score(text)["compound"] for text in comments["comment_text"]]
    return pd.DataFrame(
        {
            "comment_hash": comments["comment_hash"].astype("string"),
            "sentiment_score": np.array(scores, dtype=float),
        }
    )


def judge_sentiment(feedback: pd.DataFrame) -> pd.DataFrame:
    """Hold the scores of comments against the ratings that came with them.

    Parameters
    ----------
    feedback : DataFrame
        By identifier, answers with a comment only: `overall_satisfaction` (1 to 5) and
        `sentiment_score` (-1 to 1).

    Returns
    -------
    DataFrame
        The tidy table. Score is Spearman's rank correlation, its baseline 0. VADER learned
        nothing from these ratings, so every answer is out of sample. With fewer than
        `MINIMUM_ROWS` answers, or all alike, there is no score.

    Notes
    -----
    Spearman (1904); interval by Fisher's z with the error of Bonett and Wright (2000).
    """
    from importlib.metadata import version

    from scipy.stats import spearmanr

    n = len(feedback)
    metrics: dict[str, float] = {"n_rows": n, "n_fitted": n}
    compared = feedback[["overall_satisfaction", "sentiment_score"]]
    varied = n >= MINIMUM_ROWS and (compared.nunique() > 1).all()
    if varied:
        found = spearmanr(compared.to_numpy(float))
        rho = float(np.clip(found.statistic, -1, 1))
        centre, margin = np.arctanh(rho), Z_95 * np.sqrt((1 + rho**2 / 2) / (n - 3))
        metrics |= {
            "score": rho,
            "score_low": float(np.tanh(centre - margin)),
            "score_high": float(np.tanh(centre + margin)),
            "baseline_score": 0.0,
            "p_value": float(found.pvalue),
        }
    settings = {"vader_sentiment": version("vaderSentiment")}
    return _tidy("feedback_sentiment", feedback, settings, metrics, [])


def variances(values: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> tuple[float, float]:
    """Variance inside inner groups, and between inner groups of the same outer group.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
    inner, outer : numpy.ndarray, shape (n,), int
        Codes from 0; an inner group lies in one outer group.

    Returns
    -------
    tuple of float
        Both not-a-number where a group too many leaves no degree of freedom; the second is never
        below 0.

    Notes
    -----
    Analysis of variance estimators for groups of unequal size (Searle, Casella and McCulloch
    1992).
    """
    n_inner = np.bincount(inner)
    sums = np.bincount(inner, values)
    parent = np.zeros(len(n_inner), dtype=int)
    parent[inner] = outer
    n_outer, outer_sums = np.bincount(outer), np.bincount(outer, values)
    spare, between = len(values) - len(n_inner), len(n_inner) - len(n_outer)
    if spare < 1 or between < 1:
        return np.nan, np.nan
    within = float(((values - (sums / n_inner)[inner]) ** 2).sum() / spare)
    distance = sums / n_inner - (outer_sums / n_outer)[parent]
    size = (len(values) - (n_inner**2 / n_outer[parent]).sum()) / between
    return within, max(0.0, float(((n_inner * distance**2).sum() / between - within) / size))


MATCH_NEED = ["specialty", "day_part", "device_type"]


@dataclass(frozen=True)
class Matching:
    """What is known of providers' satisfaction, in points of 1 to 5.

    Attributes
    ----------
    means : Series by specialty
    provider_weight, need_weight : float
        Answers that a mean is worth before any of the provider, and of the provider for the need:
        the variance inside groups over that between them. Infinite where groups do not differ.
    """

    means: pd.Series
    provider_weight: float
    need_weight: float

    @classmethod
    def learn(cls, answers: pd.DataFrame) -> Matching:
        """Learn from answers: `provider_key`, the columns of a need, `overall_satisfaction`."""
        values = answers["overall_satisfaction"].to_numpy(float)
        specialty = answers.groupby("specialty").ngroup().to_numpy()
        provider = answers.groupby(["specialty", "provider_key"]).ngroup().to_numpy()
        need = answers.groupby(["specialty", "provider_key", "day_part", "device_type"]).ngroup()

        def weight(inner: np.ndarray, outer: np.ndarray) -> float:
            within, between = variances(values, inner, outer)
            return within / between if between > 0 else np.inf

        return cls(
            answers.groupby("specialty")["overall_satisfaction"].mean(),
            weight(provider, specialty),
            weight(need.to_numpy(), provider),
        )

    def score(self, answers: pd.DataFrame, wanted: pd.DataFrame) -> np.ndarray:
        """Expect a satisfaction of each provider and need wanted, from these answers.

        The provider's mean is shrunk towards that of the specialty, and the provider's mean for
        the need towards that (Efron and Morris 1975). Not-a-number where nothing is known of the
        specialty.
        """

        def shrunk(keys: list[str], prior: np.ndarray, weight: float) -> np.ndarray:
            known = answers.groupby(keys)["overall_satisfaction"].agg(["sum", "count"])
            found = wanted[keys].merge(known, "left", left_on=keys, right_index=True).fillna(0)
            n = found["count"].to_numpy(float)
            share = np.zeros(len(n)) if np.isinf(weight) else n / np.maximum(n + weight, 1e-300)
            mean = found["sum"].to_numpy(float) / np.maximum(n, 1)
            return prior + share * (np.where(n > 0, mean, prior) - prior)

        prior = wanted["specialty"].map(self.means).to_numpy(float)
        prior = shrunk(["provider_key"], prior, self.provider_weight)
        return shrunk(["provider_key", *MATCH_NEED[1:]], prior, self.need_weight)


def _judge_matches(past: pd.DataFrame, future: pd.DataFrame, learned: Matching) -> dict:
    """Compare answers about whoever would have been ranked first with those about anybody."""
    known = pd.concat([past, future])[["specialty", "provider_key"]].drop_duplicates()
    needs = future[MATCH_NEED].drop_duplicates()
    wanted = needs.merge(known, "inner", "specialty")
    wanted["expected"] = learned.score(past, wanted)
    order = [*MATCH_NEED, "expected", "provider_key"]
    wanted = wanted.sort_values(order, ascending=[True] * 3 + [False, True], kind="stable")
    first = wanted.drop_duplicates(MATCH_NEED)[[*MATCH_NEED, "provider_key"]]
    chosen = future.merge(first, "inner", [*MATCH_NEED, "provider_key"])
    by_provider = future.groupby(["specialty", "provider_key"])["overall_satisfaction"].mean()
    anybody = chosen["specialty"].map(by_provider.groupby("specialty").mean()).to_numpy(float)
    found = {"n_judged": float(len(chosen)), "n_needs_judged": float(len(needs))}
    if len(chosen) < MINIMUM_ROWS:
        return found
    gain = chosen["overall_satisfaction"].to_numpy(float) - anybody
    margin = Z_95 * float(gain.std(ddof=1)) / np.sqrt(len(gain))
    score = float(chosen["overall_satisfaction"].mean())
    differ = min(learned.provider_weight, learned.need_weight) < np.inf
    return found | {
        "score": score,
        "score_low": score - margin,
        "score_high": score + margin,
        "baseline_score": float(anybody.mean()),
        "gain": float(gain.mean()),
        "is_reliable": float(differ and gain.mean() > margin),
    }


def fit_match(visits: pd.DataFrame, train_share: float) -> pd.DataFrame:
    """Fit how far to trust what is known of a provider, for ranking providers by need.

    Parameters
    ----------
    visits : DataFrame
        Rows of `provider_match_features` by time and identifier: `appointment_date`,
        `provider_key`, `specialty`, `day_part`, `device_type` and `overall_satisfaction`
        (not-a-number where nobody answered).
    train_share : float
        Share of the answered visits, the oldest, that the judged ranking is learned from.

    Returns
    -------
    DataFrame
        The tidy table. Weights and means are of all visits, for a ranking stands on all that is
        known; the metrics are of the same procedure applied to the older ones. Score is the mean
        satisfaction, out of time, of visits with the provider ranked first for the visit's need;
        the baseline is that of a provider of the specialty taken at random. With fewer than
        `MINIMUM_ROWS` answers nothing is fitted, with fewer to judge by there is no score.

    Notes
    -----
    Empirical Bayes (Efron and Morris 1975) with variances by `variances`.
    """
    answers = visits[visits["overall_satisfaction"].notna()]
    day = split_day(answers["appointment_date"], train_share)
    is_old = _is_before(answers["appointment_date"], day)
    metrics: dict[str, float] = {"n_rows": len(visits), "n_fitted": len(answers)}
    rows: list[dict] = []
    if len(answers) >= MINIMUM_ROWS:
        learned = Matching.learn(answers)
        rows = [
            _value("baseline", "specialty", mean, level) for level, mean in learned.means.items()
        ]
        rows += [
            _value("weight", name, weight)
            for name, weight in (
                ("provider", learned.provider_weight),
                ("need", learned.need_weight),
            )
            if np.isfinite(weight)
        ]
        past, future = answers[is_old], answers[~is_old]
        if len(past) >= MINIMUM_ROWS:
            metrics |= _judge_matches(past, future, Matching.learn(past))
    settings = {"train_share": train_share}
    return _tidy("provider_match", visits, settings, metrics, rows, day)
