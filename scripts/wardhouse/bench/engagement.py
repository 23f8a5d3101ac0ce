"""Measures how often clusters are called groups: on clouds that have none, and on true groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from wardhouse.areas.declared import load
from wardhouse.ml.groups import LARGEST_P

Shape = Callable[[np.random.Generator, int], np.ndarray]
PEOPLE = 500


def _correlated(generator: np.random.Generator, n: int, correlation: float) -> np.ndarray:
    common = generator.normal(size=(n, 1))
    own = generator.normal(size=(n, 4))
    return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own


def _planted(generator: np.random.Generator, n: int) -> np.ndarray:
    centres = np.vstack([np.zeros(4), 6 * np.eye(4)])
    return centres[generator.integers(0, 5, n)] + generator.normal(size=(n, 4))


def _overlapping(generator: np.random.Generator, n: int) -> np.ndarray:
    return generator.normal(size=(n, 4)) + 1.6 * (generator.random((n, 1)) < 0.5)


CLOUDS: dict[str, Shape] = {
    "uniform": lambda generator, n: generator.uniform(size=(n, 4)),
    "gaussian": lambda generator, n: generator.normal(size=(n, 4)),
    "elongated": lambda generator, n: _correlated(generator, n, 0.8),
    "skewed": lambda generator, n: np.exp(_correlated(generator, n, 0.7)),
    "rounded": lambda generator, n: np.round(_correlated(generator, n, 0.8)),
}
GROUPED: dict[str, Shape] = {"planted": _planted, "overlapping": _overlapping}


@dataclass(frozen=True)
class Calls:
    """How often people of one shape were said to be of groups.

    Attributes
    ----------
    shape : str
    has_groups : bool
        In truth.
    n_grouped : int
        Seeds whose p-value against data without groups is at most 0.05.
    n_reliable : int
        Seeds whose personas were called reliable.
    n_seeds : int
    """

    shape: str
    has_groups: bool
    n_grouped: int
    n_reliable: int
    n_seeds: int


def count_calls(n_seeds: int, people: int = PEOPLE) -> Iterator[Calls]:
    """Fit every shape with so many seeds as personas are fitted, and count, shape after shape."""
    settings_of, select_k = (
        load(f"engagement.k_selection:{each}") for each in ("Settings", "select_k")
    )
    last, people_of, vectors_of, fit_personas = (
        load(f"engagement.personas:{each}")
        for each in ("Last", "People", "Vectors", "fit_personas")
    )
    features = tuple(f"feature_{number}" for number in range(1, 5))
    for name, shape in (CLOUDS | GROUPED).items():
        p_values, verdicts = [], []
        for seed in range(n_seeds):
            values = shape(np.random.default_rng(seed), people)
            everybody = people_of(np.arange(people), values, np.ones(people, dtype=bool))
            settings = settings_of(seed=seed)
            selection = select_k(values, settings)
            table = fit_personas(name, vectors_of(features, everybody), selection, settings, last())
            figures = table[table["component"] == "metric"].set_index("feature")["value"]
            p_values.append(figures["copula_p"])
            verdicts.append(figures["is_reliable"])
        n_grouped = int((np.array(p_values) <= LARGEST_P).sum())
        yield Calls(name, name in GROUPED, n_grouped, int(sum(verdicts)), n_seeds)
