"""Who reads all shared tables at once and computes what is hidden in them.

The attacker knows

- every number that is shown in any shared table, and the exact total of whatever adds up, unless
  that total, or all but it, is itself a small group;
- that counts are whole and no less than 0, that amounts are no less than 0 where none is, that a
  part is no more than its whole, and that people of a cell are counted once;
- the rule, and of each hidden number whether it was hidden as small or for the sake of another:
  people hidden as small are 1 to `minimum` - 1, others at least `minimum`. Of a part whose whole
  is shown he knows in the same way that it, or the rest, is small. Of a column that is hidden in
  all of its rows he does not know it: nothing shown there differs from row to row.

He does not know the order in which numbers were chosen to be hidden.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from wardhouse.publish.cells import (
    KNOWN,
    PART,
    ROOT,
    UNKNOWN,
    Component,
    System,
    is_small,
)
from wardhouse.publish.versions import PublishError

FAR = 1e6  # as far as a deviation is followed, in counts or in an amount's largest
EXACT = 1e-6
INFEASIBLE = 2  # in SciPy's words
SEVERAL = 12  # numbers whose extremes are looked for at once


def sensitive(system: System, minimum: int) -> np.ndarray:
    """Tell which numbers are of a small group, or leave one: what is to be hidden for itself."""
    rest = np.nan_to_num(system.whole_value()) - system.value
    itself = is_small(system.value, minimum)
    remains = is_small(rest, minimum)
    found = np.select(
        [system.kind == PART, system.kind == KNOWN, system.kind == UNKNOWN],
        [itself | remains, itself, remains],
        default=False,
    )
    of = system.whole[system.whole >= 0]
    has_parts = np.zeros(len(system.value), dtype=bool)
    has_parts[of] = True
    is_root = system.is_people | (has_parts & (system.kind == ROOT))
    return system.is_count & (found | (is_root & itself))


def bounds(
    system: System, minimum: int, hidden: np.ndarray, uniform: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the rule alone says of each number if it is hidden: lowest and highest.

    Parameters
    ----------
    system
        The numbers.
    minimum
        Fewer people are a small group.
    hidden, uniform : ndarray of bool
        Which are hidden, and which of them in all rows of their column.
    """
    value, count = system.value, system.is_count
    is_negative = np.zeros(len(value), dtype=bool)
    for family in np.unique(system.family[(value < 0) & ~count]):
        is_negative |= (system.family == family) & ~count
    low = np.where(is_negative, -np.inf, 0.0)
    high = np.full(len(value), np.inf)
    small = sensitive(system, minimum)
    people = system.is_people & ~uniform
    for table in np.unique(system.table):
        its = system.is_people & (system.table == table)
        low[its] = min(1.0, value[its].min(initial=1))  # a row is of somebody, where all rows are
    low[people] = np.where(small, 1, np.where(value > 0, minimum, 0))[people]
    high[people] = np.where(small, minimum - 1, np.where(value > 0, np.inf, 0))[people]
    of = np.where(system.whole >= 0, system.whole, 0)
    whole = np.where(system.whole >= 0, value[of], 0)
    told = (system.whole >= 0) & ~hidden[of] & ~uniform & count & ~people
    for kind, (least, most) in _parts(value, whole, small, minimum).items():
        its = told & (system.kind == kind)
        low[its], high[its] = least[its], most[its]
    return np.minimum(low, value), np.maximum(high, value)


def _parts(
    value: np.ndarray, whole: np.ndarray, small: np.ndarray, minimum: int
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return lowest and highest of parts of a whole that is shown, by how they are contained."""
    few, rest = minimum - 1, whole - value
    empty, full = value == 0, rest == 0
    is_either = whole <= 2 * minimum - 1  # small parts and small rests are one interval
    first = value < minimum
    return {
        PART: (
            np.select([~small & (empty | full), ~small, is_either | first], [value, minimum, 1.0],
                      whole - few),
            np.select([~small & (empty | full), ~small, is_either, first],
                      [value, whole - minimum, whole - 1, few], whole - 1),
        ),
        KNOWN: (
            np.select([small, empty], [1.0, 0.0], minimum),
            np.select([small, empty], [few, 0.0], whole),
        ),
        UNKNOWN: (
            np.select([small, full], [whole - few, whole], 0.0),
            np.select([small, full], [whole - 1, whole], whole - minimum),
        ),
    }  # fmt: skip


class Attack:
    """What the attacker reaches: linear programmes over hidden numbers that hang together.

    What is shown is taken as it is. Where whole numbers alone fit, he may know a little more than
    the programmes tell: of two-way tables he does not, for their corners are whole.

    Attributes
    ----------
    least, most : ndarray of float
        Of each number what he cannot exclude, as far as it was looked for; of what is shown both
        are its value.
    is_exact : ndarray of bool
        Whether they are the lowest and the highest that he cannot exclude.
    """

    def __init__(
        self, system: System, minimum: int, hidden: np.ndarray, uniform: np.ndarray
    ) -> None:
        """Take what is hidden, as of `bounds`."""
        self.system = system
        self.least, self.most = system.value.copy(), system.value.copy()
        self.is_exact = ~hidden
        low, high = bounds(system, minimum, hidden, uniform)
        self.down = np.maximum((low - system.value) / system.scale, -FAR)
        self.up = np.minimum((high - system.value) / system.scale, FAR)
        self.parts: list[Component] = system.components(hidden) if hidden.any() else []

    def values(self) -> np.ndarray:
        """Count what cannot be excluded of each number: `n_values`."""
        return n_values(self.system, self.least, self.most)

    def reach(self, enough: np.ndarray) -> None:
        """Look for each number until it can have so many values, or its extremes are known."""
        for part in self.parts:
            while True:
                its = part.numbers
                narrow = ~self.is_exact[its] & (self.values()[its] < enough[its] - EXACT)
                if not narrow.any():
                    break
                self._settle(part, its[narrow][:SEVERAL])

    def settle(self, number: int) -> None:
        """Find a number's extremes."""
        for part in self.parts:
            if number in part.numbers:
                self._settle(part, np.array([number]))

    def _settle(self, part: Component, numbers: np.ndarray) -> None:
        """Find the extremes of numbers of a component; what else they let move is seen too."""
        its = part.numbers
        n_goals, n = 2 * len(numbers), len(its)
        costs = np.zeros((n_goals, n))
        places = np.searchsorted(its, numbers)
        costs[np.arange(len(numbers)), places] = 1.0
        costs[np.arange(len(numbers)) + len(numbers), places] = -1.0
        many = sparse.eye_array(n_goals)
        found = solve(
            costs.ravel(),
            sparse.kron(many, part.equal),
            sparse.kron(many, part.below),
            np.tile(part.room, n_goals),
            np.tile(self.down[its], n_goals),
            np.tile(self.up[its], n_goals),
        )
        moved = found.reshape(n_goals, n) * self.system.scale[its] + self.system.value[its]
        self.least[its] = np.minimum(self.least[its], moved.min(axis=0))
        self.most[its] = np.maximum(self.most[its], moved.max(axis=0))
        self.is_exact[numbers] = True


def solve(
    costs: np.ndarray,
    equal: sparse.spmatrix,
    below: sparse.spmatrix,
    room: np.ndarray,
    down: np.ndarray,
    up: np.ndarray,
) -> np.ndarray | None:
    """Solve a linear programme of deviations; None where nothing fulfils it."""
    answer = linprog(
        costs,
        A_eq=equal if equal.shape[0] else None,
        b_eq=np.zeros(equal.shape[0]) if equal.shape[0] else None,
        A_ub=below if below.shape[0] else None,
        b_ub=room if below.shape[0] else None,
        bounds=np.column_stack([down, up]),
        method="highs",
    )
    if answer.status == INFEASIBLE:
        return None
    if answer.status != 0:
        raise PublishError(
            f"an attack on the shared tables could not be computed ({answer.message}): publish "
            "internal alone in the meta.publish of the newest of them, and build again"
        )
    return answer.x


def width(system: System) -> np.ndarray:
    """Return how wide an amount's interval must be: a tenth of it, a thousandth of the largest."""
    return np.maximum(np.abs(system.value) / 10, system.scale / 1000)


def n_values(system: System, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Count the whole values of each interval; of an amount, how often it is wide enough."""
    whole = np.floor(most + EXACT) - np.ceil(least - EXACT) + 1
    return np.where(system.is_count, whole, (most - least) / width(system))


def needed(system: System, minimum: int) -> np.ndarray:
    """Return how many values an interval must hold: as many as a small group can have.

    An amount's must be as wide as `width` says. Of what nobody or everybody has in all tables
    together the total tells all: nothing is asked of it.
    """
    return np.where(system.is_told, 0, np.where(system.is_count, minimum - 1, 1))
