"""Measures how often clusters are called groups: on clouds that have none, and on true groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from wardhouse.ml.groups import LARGEST_P, copula_test
from wardhouse.ml.threads import single_threaded

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
    """How often one shape was called grouped.

    Attributes
    ----------
    shape : str
    has_groups : bool
        In truth.
    n_called, n_seeds : int
    """

    shape: str
    has_groups: bool
    n_called: int
    n_seeds: int


def count_calls(n_seeds: int, people: int = PEOPLE) -> Iterator[Calls]:
    """Test every shape with so many seeds, and yield one count after the other."""
    for name, shape in (CLOUDS | GROUPED).items():
        n_called = 0
        for seed in range(n_seeds):
            values = shape(np.random.default_rng(seed), people)
            with single_threaded():
                n_called += copula_test(values, seed, max_rows=people).p_value <= LARGEST_P
        yield Calls(name, name in GROUPED, n_called, n_seeds)
