"""Reads the vectors of both types of people, and fits their personas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from wardhouse.areas.engagement.k_selection import Settings, select_k
from wardhouse.areas.engagement.personas import Last, People, Vectors, fit_personas
from wardhouse.ml.tidy import MINIMUM_ROWS

PERSON_TYPES = ("patient", "physician")
SMALLEST_DAY = 0.1  # of the people of the fullest date: fewer are no first date


def select_all(vectors: Any, settings: Settings) -> pd.DataFrame:
    """Select the number of personas of each type from the model `persona_vectors`, a relation."""
    found = []
    for person_type in PERSON_TYPES:
        table = select_k(read_vectors(vectors, person_type).current.fitted, settings)
        table.insert(0, "person_type", pd.array([person_type] * len(table), dtype="string"))
        found.append(table)
    return pd.concat(found, ignore_index=True)


def fit_all(
    vectors: Any,
    selection: pd.DataFrame,
    last_fit: pd.DataFrame | None,
    last_members: pd.DataFrame | None,
    settings: Settings,
) -> pd.DataFrame:
    """Fit the personas of each type.

    Parameters
    ----------
    vectors
        DuckDB relation of the model `persona_vectors`.
    selection : DataFrame
        As `select_all` makes it.
    last_fit : DataFrame or None
        What this returned in the last build.
    last_members : DataFrame or None
        Of the last build: `person_type`, `person_key`, `persona_number`.
    settings : Settings

    Returns
    -------
    DataFrame
        As `fit_personas` makes it, type after type.
    """
    found = []
    for person_type in PERSON_TYPES:
        last = Last()
        if last_fit is not None:
            last = Last(last_fit[last_fit["person_type"] == person_type])
        if last_members is not None:
            own = last_members[last_members["person_type"] == person_type]
            last = Last(last.fit, own["person_key"].to_numpy(), own["persona_number"].to_numpy())
        own = selection[selection["person_type"] == person_type]
        read = read_vectors(vectors, person_type)
        found.append(fit_personas(person_type, read, own, settings, last))
    return pd.concat(found, ignore_index=True)


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
        People in the order of their keys. Without features where the type has nobody. The first
        date is the earliest of at least `MINIMUM_ROWS` people and a tenth of the fullest date, so
        that one record with a wrong date does not stand for everybody.
    """
    own = vectors.filter(f"person_type = '{person_type}'")
    known = own.limit(1).project("features").fetchall()
    features = tuple(known[0][0]) if known else ()
    days = own.filter("as_of_date is not null").aggregate(
        "as_of_date, count(*) as n_people", "as_of_date"
    )
    [(most, newest)] = days.aggregate("max(n_people), max(as_of_date)").fetchall()
    least = max(MINIMUM_ROWS, SMALLEST_DAY * (most or 0))
    [(first,)] = days.filter(f"n_people >= {least}").aggregate("min(as_of_date)").fetchall()
    has_history = first is not None and first < newest
    return Vectors(
        features,
        _people(own.filter("is_current"), len(features)),
        _people(own.filter(f"as_of_date = date '{first}'"), len(features)) if has_history else None,
    )


def first_people(rows: Any, most: int) -> Any:
    """Keep the rows of so many people of each type: a sample, the same for any order of rows.

    Parameters
    ----------
    rows
        DuckDB relation with `person_type` and `person_key`. Keys are hashes, so that the smallest
        are as good as drawn.
    most : int
        People of a type.

    Returns
    -------
    DuckDBPyRelation
        With a column `place` more.
    """
    places = "*, dense_rank() over (partition by person_type order by person_key) as place"
    return rows.project(places).filter(f"place <= {most}")


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
