"""Which numbers of the shared tables are hidden: small groups, and what would give them away.

Complementary suppression is greedy: for each hidden number that an attacker reaches too closely,
a linear programme finds the cheapest way to let it be more or less, over all linked tables; what
has to move for that is hidden too, until the attacker reaches none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from wardhouse.publish.attacker import (
    EXACT,
    FAR,
    Attack,
    bounds,
    needed,
    sensitive,
    solve,
    width,
)
from wardhouse.publish.cells import ROOT, Filled, System, system_of

MOVED = 1e-5  # a smaller deviation is the solver's


@dataclass(frozen=True)
class Suppression:
    """What is hidden of the shared tables.

    Attributes
    ----------
    system : System
        The numbers of the tables that are published.
    hidden : ndarray of bool
        Which of them are hidden.
    uniform : ndarray of bool
        Which of those in all rows of their column.
    withheld : list of str
        Tables that are not shared at all: they are too small for any of it.
    """

    system: System
    hidden: np.ndarray
    uniform: np.ndarray
    withheld: list[str] = field(default_factory=list)


def suppress(tables: list[Filled], minimum: int) -> Suppression:
    """Hide small groups, and as little else as protects them.

    Parameters
    ----------
    tables
        All shared tables, exact.
    minimum
        Fewer people are a small group.

    Raises
    ------
    PublishError
        When what the tables declare is not true of them.
    """
    withheld: list[str] = []
    while True:
        system = system_of(tables, minimum)
        state = _State(system, minimum)
        too_small = state.protect()
        if too_small is None:
            return Suppression(system, state.hidden, state.uniform, sorted(withheld))
        withheld.append(tables[too_small].table.title)
        tables = [each for place, each in enumerate(tables) if place != too_small]


class _State:
    """What is hidden so far."""

    def __init__(self, system: System, minimum: int) -> None:
        self.system, self.minimum = system, minimum
        self.hidden = system.closed(sensitive(system, minimum))
        self.uniform = np.zeros(len(system.value), dtype=bool)
        self.need = needed(system, minimum)
        # What is large tells much; the logarithm keeps it from deciding alone.
        self.loss = system.with_hidden() @ (1 + np.log1p(np.abs(system.value) / system.scale))
        everything = np.ones(len(system.value), dtype=bool)
        self.part_of = {n: part for part in system.components(everything) for n in part.numbers}
        self.columns = np.array(system.column)

    def protect(self) -> int | None:
        """Hide until every interval is wide enough; return a table that is too small, or None."""
        system = self.system
        while True:
            attack = Attack(system, self.minimum, self.hidden, self.uniform)
            attack.reach(self.need)
            missing = self.need - attack.values()
            failing = np.flatnonzero(self.hidden & (missing > EXACT))
            if not len(failing):
                return None
            before = self.hidden
            order = np.lexsort((-missing[failing], system.kind[failing] != ROOT))
            for number in failing[order].tolist():
                moved = self._cheapest(
                    number, missing[number], attack.least[number], attack.most[number]
                )
                if moved is None:
                    if (too_small := self._widen(number)) is not None:
                        return too_small
                    break
                self.hidden = system.closed(self.hidden | moved)
            else:
                # What moves by less than the solver can tell is hidden whole.
                if (self.hidden == before).all():
                    too_small = self._widen(int(failing[0]))
                    if too_small is not None:
                        return too_small

    def _cheapest(
        self, number: int, missing: float, least: float, most: float
    ) -> np.ndarray | None:
        """Return what has to move so that a number may be so many values more or less."""
        low, high = bounds(self.system, self.minimum, self.hidden, self.uniform)
        value, scale = self.system.value[number], self.system.scale[number]
        if not self.system.is_count[number]:
            missing *= width(self.system)[number]
        best = None
        for up in (min(missing, high[number] - most), max(0.0, missing - (least - low[number]))):
            goals = [most + up - value, least - (missing - up) - value]
            if up < 0 or goals[1] < low[number] - value - EXACT:
                continue
            found = [
                self._move(number, goal / scale, low, high)
                for goal, extent in zip(goals, (up, missing - up), strict=True)
                if extent > EXACT
            ]
            if all(each is not None for each in found):
                cost = sum(each[0] for each in found)
                moved = np.logical_or.reduce([each[1] for each in found])
                if best is None or cost < best[0]:
                    best = (cost, moved)
        return None if best is None else best[1]

    def _move(
        self, number: int, goal: float, low: np.ndarray, high: np.ndarray
    ) -> tuple[float, np.ndarray] | None:
        """Return the loss, and what moves, when a number deviates so far from what it is."""
        system, part = self.system, self.part_of[number]
        its, n = part.numbers, len(part.numbers)
        price = np.where(self.hidden, 0.0, self.loss)[its]
        down = np.maximum((low - system.value) / system.scale, -FAR)[its]
        up = np.minimum((high - system.value) / system.scale, FAR)[its]
        down[its == number] = up[its == number] = goal
        # More and less are unknowns of their own: what is hidden already moves for nothing.
        found = solve(
            np.concatenate([price, price]),
            sparse.hstack([part.equal, -part.equal]),
            sparse.hstack([part.below, -part.below]),
            part.room,
            np.concatenate([np.maximum(down, 0), np.maximum(-up, 0)]),
            np.concatenate([np.maximum(up, 0), np.maximum(-down, 0)]),
        )
        if found is None:
            return None
        moved = np.zeros(len(system.value), dtype=bool)
        moved[its] = np.abs(found[:n] - found[n:]) > MOVED
        return float(self.loss[moved & ~self.hidden].sum()), moved

    def _widen(self, number: int) -> int | None:
        """Hide a column whole, then what it adds up with; return its table where that was done.

        A column of which nothing is shown does not tell which of its rows are small.
        """
        system = self.system
        its = (system.table == system.table[number]) & (self.columns == system.column[number])
        if self.uniform[its].all():
            its = (system.family == system.family[number]) & (system.family >= 0)
            if not its.any() or self.uniform[its].all():
                return int(system.table[number])
        hidden = system.closed(its)
        self.hidden |= hidden
        for each in np.flatnonzero(hidden):
            rows = (system.table == system.table[each]) & (self.columns == system.column[each])
            self.uniform[rows] = self.hidden[rows].all()
        return None
