"""The mood of comments by VADER, and how far it agrees with the scores beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from wardhouse.ml.tidy import (
    MINIMUM_ROWS,
    Z_95,
    fingerprint,
    held_out_from,
    tidy_table,
    with_verdict,
)


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
    return tidy_table(
        "feedback_sentiment",
        fingerprint(feedback),
        settings,
        with_verdict(metrics),
        [],
        held_out_from(None),
    )
