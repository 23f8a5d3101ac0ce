"""Scores comments by VADER, which no SQL can."""


def model(dbt, session):
    """Score every distinct comment once. One row per distinct comment."""
    dbt.config(materialized="table")
    from wardhouse.areas.telehealth.sentiment import score_comments

    comments = (
        dbt.ref("feedback_sentiment_features")
        .filter("comment_text is not null")
        .aggregate("comment_hash, min(comment_text) as comment_text", "comment_hash")
        .order("comment_hash")
    )
    return score_comments(comments.df())
