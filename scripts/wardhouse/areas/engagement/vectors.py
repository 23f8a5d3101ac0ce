"""Reads the vectors of both types of people, and fits their personas."""

from __future__ import annotations

from typing import Any

import numpy as np
from wardhouse.areas.engagement.personas import People, Vectors


def read_vectors(vectors: Any, person_type: str) -> Vectors:
    """Read one type of person from the model `persona_vectors`.

    Parameters
    ----------
    vectors
        DuckDB relation of all types and dates.
    person_type : str
        patient or physician.

    Returns
    -------
    Vectors
        People in the order of their keys. Without features where the type has nobody.
    """
    own = vectors.filter(f"person_type = '{person_type}'")
    known = own.limit(1).project("features").fetchone()
    features = tuple(known[0]) if known else ()
    earliest, newest = own.aggregate("min(as_of_date), max(as_of_date)").fetchone()
    has_history = earliest is not None and earliest < newest
    return Vectors(
        features,
        _people(own.filter("is_current"), len(features)),
        _people(own.filter(f"as_of_date = date '{earliest}'"), len(features))
        if has_history
        else None,
    )


def _people(rows: Any, n_features: int) -> People:
    places = range(1, n_features + 1)
    values = [f"feature_values[{place}]::double as value_{place}" for place in places]
    columns = ", ".join(["person_key", "is_in_fit", *values])
    found = rows.order("person_key").project(columns).fetchnumpy()
    every = [np.asarray(found[f"value_{place}"], dtype=float) for place in places]
    keys = np.asarray(found["person_key"], dtype="int64")
    return People(
        keys,
        np.column_stack(every) if every else np.empty((len(keys), 0)),
        np.asarray(found["is_in_fit"], dtype=bool),
    )
