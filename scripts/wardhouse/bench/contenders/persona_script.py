# ruff: noqa: S608 - writing SQL is what this script is for
"""Personas of patients by bare scikit-learn, beside the warehouse's own fit and scoring.

Usage: python persona_script.py DATABASE SCORING_SQL ANSWER
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from wardhouse.ml.k_means import fit_k_means

SEED, MAX_ROWS = 42, 200_000
TIMES = 3


def best(work: Callable[[], Any]) -> float:
    """Time something, and give the shortest of some runs."""
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def main(database: Path, scoring: Path, answer: Path) -> None:
    """Fit and score the patients both ways."""
    connection = duckdb.connect()
    connection.execute(f"attach '{database}' as wardhouse (read_only)")
    connection.execute("use wardhouse")
    vectors = "wardhouse.ml.persona_vectors where person_type = 'patient' and is_current"
    [(n_features,)] = connection.execute(f"select len(features) from {vectors} limit 1").fetchall()
    columns = [f"value_{place}" for place in range(1, n_features + 1)]
    values = ", ".join(
        f"feature_values[{place}] as {name}" for place, name in enumerate(columns, 1)
    )
    people = connection.execute(
        f"select person_key, {values} from {vectors} order by person_key"
    ).df()
    rows = people[columns].to_numpy()
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(rows))[:MAX_ROWS])
    [(k,)] = connection.execute(
        "select max(value)::integer from wardhouse.ml.persona_fit "
        "where person_type = 'patient' and component = 'metric' and feature = 'k'"
    ).fetchall()

    def bare() -> Any:
        kmeans = KMeans(n_clusters=k, n_init=10, max_iter=1000, tol=0, random_state=SEED)
        return make_pipeline(StandardScaler(), kmeans).fit(rows[chosen])

    pipeline = bare()
    sql = scoring.read_text()

    def score() -> None:
        connection.execute(
            "create or replace temporary table scored as "
            f"select * from ({sql}) where person_type = 'patient'"
        )

    def predict() -> None:
        found = connection.execute(f"select person_key, {values} from {vectors}").df()
        distances = pipeline.transform(found[columns].to_numpy())
        place = np.arange(len(found))
        first, second = np.argsort(distances, axis=1)[:, :2].T
        points = pipeline[0].transform(found[columns].to_numpy())
        centroids = pipeline[1].cluster_centers_
        pulls = (points - centroids[second]) ** 2 - (points - centroids[first]) ** 2
        labelled = pd.DataFrame(
            {
                "person_key": found["person_key"],
                "persona": pipeline.predict(found[columns].to_numpy()),
                "distance": distances[place, first],
                "second_persona": second,
                "second_distance": distances[place, second],
                "margin": distances[place, second] - distances[place, first],
                "main_driver": np.array(columns)[pulls.argmax(axis=1)],
            }
        )
        connection.execute("create or replace temporary table predicted as select * from labelled")
        del labelled

    figures = {
        "n_people": len(people),
        "k": k,
        "fit": best(lambda: fit_k_means(rows[chosen], k, SEED)),
        "bare_fit": best(bare),
        "score": best(score),
        "predict": best(predict),
    }
    pairs = connection.execute(
        "select count(distinct (persona, persona_number)) "
        "from scored inner join predicted using (person_key)"
    ).fetchone()
    figures["agree"] = pairs[0] == k
    answer.write_text(json.dumps(figures))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
