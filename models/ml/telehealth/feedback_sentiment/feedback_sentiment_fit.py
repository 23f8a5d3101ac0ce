"""Holds the mood of comments against the ratings that came with them."""


def model(dbt, session):
    """Test the scores; nothing is fitted. One row per metric or setting."""
    dbt.config(materialized="table")
    from wardhouse.areas.telehealth.sentiment import judge_sentiment

    answers = dbt.ref("feedback_sentiment_features").join(
        dbt.ref("comment_scores"), "comment_hash", "inner"
    )
    columns = "feedback_id, overall_satisfaction, sentiment_score"
    return judge_sentiment(answers.project(columns).order("feedback_id").df())
