"""What the shared tables count, as one system of numbers: what adds up, and what is part of what.

A table's cells are its rows. Whatever counts or sums something in a row is a number of the system;
the rest is computed from these, or names the cell. Everything that is known of the numbers to
whoever reads all shared tables is an equation or an inequality of the system.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from wardhouse.publish.versions import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wardhouse.publish.declared import Table

NEAR = 1e-6  # sums of amounts that agree so far, relatively, agree
ROOT, PART, KNOWN, UNKNOWN = range(4)
KINDS = {"part_of": PART, "known_of": KNOWN, "unknown_of": UNKNOWN}


@dataclass(frozen=True)
class Filled:
    """A shared table with its exact rows, in the order of the columns that name its cells."""

    table: Table
    rows: pa.Table


@dataclass(frozen=True)
class Component:
    """Numbers that hang together, and what `equal`, `below` and `room` of a system say of them."""

    numbers: np.ndarray
    equal: sparse.csr_matrix
    below: sparse.csr_matrix
    room: np.ndarray


@dataclass(frozen=True)
class System:
    """The numbers of the shared tables. Arrays have one entry a number, in one order.

    Attributes
    ----------
    tables : list of Filled
        Whose numbers they are.
    value : ndarray of float
        The exact numbers.
    table, row : ndarray of int
        Of each number: its table's place in `tables`, and its row in that table.
    column : list of str
        Its column.
    is_count : ndarray of bool
        Whether it is a whole number of things; the others are amounts.
    is_people : ndarray of bool
        Whether it counts the people of its row.
    kind : ndarray of int
        ROOT, or how it is contained in `whole`: PART, of which the rest is a group of people too;
        KNOWN, of which the rest is merely unknown; UNKNOWN, the other way round.
    whole : ndarray of int
        The number that it is part of; -1 for none.
    family : ndarray of int
        What it adds up with, over rows and tables; -1 where nothing is known to add up.
    is_told : ndarray of bool
        Whether a total that everybody knows leaves nothing to hide: it is of nobody, of all, or of
        this number alone.
    scale : ndarray of float
        By what it is divided in the equations; 1 for counts.
    equal : csr_matrix
        Rows are equations: deviations from the exact numbers, scaled, sum up to 0.
    below : csr_matrix
    room : ndarray of float
        Rows are inequalities: such deviations sum up to at most `room`, which is not negative.
    implies : csr_matrix
        Entry (i, j) is set where hiding i hides j.
    """

    tables: list[Filled]
    value: np.ndarray
    table: np.ndarray
    row: np.ndarray
    column: list[str]
    is_count: np.ndarray
    is_people: np.ndarray
    kind: np.ndarray
    whole: np.ndarray
    family: np.ndarray
    is_told: np.ndarray
    scale: np.ndarray
    equal: sparse.csr_matrix
    below: sparse.csr_matrix
    room: np.ndarray
    implies: sparse.csr_matrix

    def closed(self, hidden: np.ndarray) -> np.ndarray:
        """Return what is hidden with the numbers given: a boolean for each."""
        while True:
            more = hidden | (self.implies.T @ hidden.astype(float) > 0)
            if (more == hidden).all():
                return hidden
            hidden = more

    def with_hidden(self) -> sparse.csr_matrix:
        """Return a matrix whose entry (i, j) is 1 where hiding i hides j, itself included."""
        reached = sparse.csr_matrix(sparse.eye_array(len(self.value)))
        while True:
            more = sparse.csr_matrix(reached + reached @ self.implies)
            more.data[:] = 1.0
            if more.nnz == reached.nnz:
                return reached
            reached = more

    def components(self, among: np.ndarray) -> list[Component]:
        """Return the numbers among some that hang together, all others taken as they are."""
        at = np.flatnonzero(among)
        equal, below = self.equal[:, at], self.below[:, at]
        linked = sparse.vstack([equal, below])
        n, label = connected_components(abs(linked).T @ abs(linked), directed=False)
        found = []
        for each in range(n):
            its = np.flatnonzero(label == each)
            its_equal, its_below = equal[:, its], below[:, its]
            is_below = np.diff(its_below.indptr) > 0
            its_equal = its_equal[np.diff(its_equal.indptr) > 0]
            found.append(Component(at[its], its_equal, its_below[is_below], self.room[is_below]))
        return found

    def whole_value(self) -> np.ndarray:
        """Return the exact value of each number's whole; NaN for what is part of nothing."""
        return np.where(self.whole < 0, np.nan, self.value[self.whole])


class _Writer:
    """Collects rows of a sparse matrix."""

    def __init__(self) -> None:
        self.rows: list[dict[int, float]] = []

    def add(self, row: dict[int, float]) -> None:
        self.rows.append(row)

    def matrix(self, n: int) -> sparse.csr_matrix:
        entries = [
            (place, column, value)
            for place, row in enumerate(self.rows)
            for column, value in row.items()
        ]
        if not entries:
            return sparse.csr_matrix((len(self.rows), n))
        places, columns, values = zip(*entries, strict=True)
        return sparse.csr_matrix((values, (places, columns)), shape=(len(self.rows), n))


def system_of(tables: list[Filled], minimum: int) -> System:
    """Read the numbers of tables, and all that links them.

    What holds of the exact numbers without being declared counts as known, where a reader could
    guess it: people of a cell are no more than what is counted of them, two parts make a whole,
    parts of what adds up add up too.

    Parameters
    ----------
    tables
        All shared tables: they are read together.
    minimum
        Fewer people are a small group; a total as small is nobody's knowledge.

    Raises
    ------
    PublishError
        When a table counts no people in a row, or what is declared to add up or to be a part does
        not and is not.
    """
    return _Reading(tables, minimum).system()


class _Reading:
    """The way from tables to their system."""

    def __init__(self, tables: list[Filled], minimum: int) -> None:
        self.tables, self.minimum = tables, minimum
        self.value: list[float] = []
        self.place: list[tuple[int, int]] = []
        self.column: list[str] = []
        self.is_count: list[bool] = []
        self.at: list[dict[str, np.ndarray]] = []  # table, column: number of each row, or -1
        self.cells: list[dict[str, list[Any]]] = []
        for place, filled in enumerate(tables):
            self._take(place, filled)
        self.values = np.array(self.value, dtype=float)
        self.equal, self.below = _Writer(), _Writer()
        self.room: list[float] = []

    def _take(self, place: int, filled: Filled) -> None:
        table, rows = filled.table, filled.rows
        self.cells.append({name: rows[name].to_pylist() for name in table.cells.of})
        numbers: dict[str, np.ndarray] = {}
        for name in table.numbers:
            kind = rows.schema.field(name).type
            given = rows[name].to_pylist()
            if name == table.cells.people and (None in given or not _is_whole(kind)):
                raise PublishError(
                    f"{table.title} counts its people by {name}, which is not a whole number in "
                    "every row: count them there, or let cells name another column"
                )
            at = np.full(len(given), -1)
            for row, value in enumerate(given):
                if value is not None:
                    at[row] = len(self.value)
                    self.value.append(float(value))
                    self.place.append((place, row))
                    self.column.append(name)
                    self.is_count.append(_is_whole(kind))
            numbers[name] = at
        self.at.append(numbers)

    def system(self) -> System:
        n = len(self.values)
        whole, kind = self._parts()
        family, names = self._families()
        is_count = np.array(self.is_count, dtype=bool)
        scale = np.ones(n)
        for each in range(len(names)):
            its = (family == each) & ~is_count
            scale[its] = max(1.0, np.abs(self.values[its]).max(initial=0))
        is_told = self._sums(family, names, whole)
        self._within_rows(whole, kind)
        self._people(family)
        is_people = np.zeros(n, dtype=bool)
        for filled, at in zip(self.tables, self.at, strict=True):
            is_people[at[filled.table.cells.people]] = True
        places = np.array(self.place, dtype=int).reshape(-1, 2)
        equal, below = self.equal.matrix(n), self.below.matrix(n)
        by = sparse.diags_array(scale)
        return System(
            self.tables,
            self.values,
            places[:, 0],
            places[:, 1],
            self.column,
            is_count,
            is_people,
            kind,
            whole,
            family,
            is_told,
            scale,
            _leveled(sparse.csr_matrix(equal @ by)),
            sparse.csr_matrix(below @ by),
            np.maximum(self.room, 0),
            self._implied(whole),
        )

    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        whole, kind = np.full(len(self.values), -1), np.full(len(self.values), ROOT)
        for filled, at in zip(self.tables, self.at, strict=True):
            for name, column in filled.table.columns.items():
                if column.whole is None:
                    continue
                part, of = at[name], at[column.whole]
                there = (part >= 0) & (of >= 0)
                part, of = part[there], of[there]
                if (self.values[part] > self.values[of] * (1 + NEAR)).any():
                    raise PublishError(
                        f"{filled.table.title} declares {name} to be part of {column.whole}, and "
                        "it is more in a row: mend the declaration or the table, and build again"
                    )
                whole[part], kind[part] = of, KINDS[column.contained]
        return whole, kind

    def _families(self) -> tuple[np.ndarray, list[str]]:
        """Give a number to what adds up; a part of what adds up is taken to, by its name."""
        family = np.full(len(self.values), -1)
        names: list[str] = []
        for filled, at in zip(self.tables, self.at, strict=True):
            for name in at:
                adds = added(filled.table, name)
                if adds is None:
                    continue
                if adds not in names:
                    names.append(adds)
                its = at[name][at[name] >= 0]
                family[its] = names.index(adds)
        return family, names

    def _sums(self, family: np.ndarray, names: list[str], whole: np.ndarray) -> np.ndarray:
        """Link tables by what adds up in them, and by totals, which everybody knows."""
        is_told = np.zeros(len(self.values), dtype=bool)
        members = defaultdict(list)
        for place, (filled, at) in enumerate(zip(self.tables, self.at, strict=True)):
            for name in at:
                if (adds := added(filled.table, name)) is not None:
                    members[adds].append((place, name))
        for name in names:
            linked = members[name]
            for one, other in combinations(linked, 2):
                self._link(one, other, is_declared=not name.startswith("/"))
            for place, column in linked:
                its = self.at[place][column]
                its = its[its >= 0]
                if not len(its):
                    continue
                total = self.values[its].sum()
                of = whole[its]
                rest = self.values[of].sum() - total if (of >= 0).all() else None
                is_small = self.is_count[its[0]] and (
                    0 < total < self.minimum or (rest is not None and 0 < rest < self.minimum)
                )
                if not is_small:
                    self.equal.add(dict.fromkeys(its.tolist(), 1.0))
                    is_told[its] = total == 0 or rest == 0
        for place, filled in enumerate(self.tables):
            sums = defaultdict(list)
            for each in filled.table.cells.rows:
                its = self._rows(place, each)
                for other in members[each["adds"]]:
                    self._link_rows(its, (place, each["figure"]), other)
                    sums[each["figure"]].append(its)
            for figure, known in sums.items():
                its = self.at[place][figure]
                its = its[its >= 0]
                is_known = _follow(its, [its, *known]) & (self.values[its] >= self.minimum)
                is_told[its] |= is_known
        return is_told

    def _rows(self, place: int, declared: dict[str, Any]) -> np.ndarray:
        """Return the numbers of a figure in the rows that a declaration names."""
        its = self.at[place][declared["figure"]]
        is_named = its >= 0
        for column, value in declared["where"].items():
            is_named &= np.array([each == value for each in self.cells[place][column]], dtype=bool)
        return its[is_named]

    def _link_rows(self, its: np.ndarray, one: tuple[int, str], other: tuple[int, str]) -> None:
        """Let some rows of a table add up to a column of another."""
        place, column = other
        others = self.at[place][column]
        others = others[others >= 0]
        row = {**dict.fromkeys(its.tolist(), 1.0), **dict.fromkeys(others.tolist(), -1.0)}
        if not self._agrees(row):
            raise self._disagreement(one, other)
        self.equal.add(row)

    def _link(self, one: tuple[int, str], other: tuple[int, str], *, is_declared: bool) -> None:
        keys = [name for name in self.cells[one[0]] if name in self.cells[other[0]]]
        groups: dict[tuple, dict[int, float]] = defaultdict(dict)
        for (place, column), sign in ((one, 1.0), (other, -1.0)):
            for cell, number in zip(self._keys(place, keys), self.at[place][column], strict=True):
                if number >= 0:
                    groups[cell][number] = sign
        if all(self._agrees(row) for row in groups.values()):
            for row in groups.values():
                self.equal.add(row)
        elif is_declared:
            raise self._disagreement(one, other)

    def _agrees(self, row: dict[int, float]) -> bool:
        terms = np.array([sign * self.values[number] for number, sign in row.items()])
        return bool(abs(terms.sum()) <= NEAR * max(1.0, np.abs(terms).sum()))

    def _disagreement(self, one: tuple[int, str], other: tuple[int, str]) -> PublishError:
        titles = [f"{self.tables[place].table.title}.{column}" for place, column in (one, other)]
        return PublishError(
            f"{titles[0]} and {titles[1]} declare to add up to the same, and do not: mend what "
            "they declare by adds, or the tables, and build again"
        )

    def _keys(self, place: int, keys: list[str]) -> list[tuple]:
        n = self.tables[place].rows.num_rows
        return list(zip(*(self.cells[place][key] for key in keys), strict=True)) or [()] * n

    def _atmost(self, row: dict[int, float], limit: float = 0.0) -> None:
        self.below.add(row)
        now = sum(sign * self.values[number] for number, sign in row.items())
        self.room.append(limit - now)

    def _within_rows(self, whole: np.ndarray, kind: np.ndarray) -> None:
        """Parts are no more than their whole; two parts, or all, may make it up."""
        for part in np.flatnonzero(whole >= 0).tolist():
            self._atmost({part: 1.0, int(whole[part]): -1.0})
        for filled, at in zip(self.tables, self.at, strict=True):
            parts = defaultdict(list)
            for name, column in filled.table.columns.items():
                if column.whole is not None:
                    parts[column.whole].append(name)
            for of, names in parts.items():
                for some in {*combinations(names, 2), tuple(names)}:
                    its = np.array([at[name] for name in (*some, of)])
                    its = its[:, (its >= 0).all(axis=0)]
                    sums = self.values[its[:-1]].sum(axis=0) - self.values[its[-1]]
                    if len(some) > 1 and its.size and (np.abs(sums) <= NEAR).all():
                        for numbers in its.T.tolist():
                            self.equal.add({**dict.fromkeys(numbers[:-1], 1.0), numbers[-1]: -1.0})

    def _people(self, family: np.ndarray) -> None:
        """People of a cell are counted once: what that says of cells, rows and other tables."""
        counted = []
        for filled, at in zip(self.tables, self.at, strict=True):
            cells = filled.table.cells
            people = at[cells.people]
            counted.append(people)
            for name, column in filled.table.columns.items():
                is_root = name in at and column.whole is None and name != cells.people
                its = at.get(name)
                if not is_root or not len(people) or (its < 0).any() or not self.is_count[its[0]]:
                    continue
                if (self.values[people] <= self.values[its]).all():
                    for number, other in zip(people.tolist(), its.tolist(), strict=True):
                        self._atmost({number: 1.0, other: -1.0})
            if len(people) and (family[people] < 0).all():
                total = self.values[people].sum()
                self._atmost(dict.fromkeys(people.tolist(), -1.0), -total)
        for coarse, fine in product(range(len(self.tables)), repeat=2):
            if coarse != fine and self._are_same_people(coarse, fine):
                self._nest(coarse, fine, counted)

    def _are_same_people(self, coarse: int, fine: int) -> bool:
        """Whether a table's cells lie in another's, of the same things."""
        one, other = self.tables[coarse].table, self.tables[fine].table
        common = {column.adds for column in one.columns.values()} & {
            column.adds for column in other.columns.values()
        }
        inside = set(one.cells.of) < set(other.cells.of)
        return inside and bool(common - {None})

    def _nest(self, coarse: int, fine: int, counted: list[np.ndarray]) -> None:
        keys = list(self.tables[coarse].table.cells.of)
        inside = defaultdict(list)
        for cell, number in zip(self._keys(fine, keys), counted[fine].tolist(), strict=True):
            inside[cell].append(number)
        pairs = [
            (number, inside[cell])
            for cell, number in zip(self._keys(coarse, keys), counted[coarse].tolist(), strict=True)
        ]
        values = self.values
        if all(values[its].max(initial=0) <= values[i] <= values[its].sum() for i, its in pairs):
            for number, its in pairs:
                self._atmost({number: 1.0, **dict.fromkeys(its, -1.0)})
                for each in its:
                    self._atmost({each: 1.0, number: -1.0})

    def _implied(self, whole: np.ndarray) -> sparse.csr_matrix:
        """Tell what hides what: a whole its parts, a row its numbers, these what is of them."""
        edges: list[tuple[int, int]] = [
            (int(of), part) for part, of in enumerate(whole.tolist()) if of >= 0
        ]
        for filled, at in zip(self.tables, self.at, strict=True):
            columns = filled.table.columns
            roots = [
                at[name] for name in at if columns[name].whole is None and not columns[name].sources
            ]
            for one, other in product([*roots, at[filled.table.cells.people]], repeat=2):
                edges += _pairs(one, other)
            for name in at:
                for source in columns[name].sources:
                    if source in at:
                        edges += _pairs(at[source], at[name])
                        # An amount of few is as telling as their number.
                        if columns[name].whole is None:
                            edges += _pairs(at[name], at[source])
        n = len(whole)
        if not edges:
            return sparse.csr_matrix((n, n))
        ones, others = zip(*edges, strict=True)
        return sparse.csr_matrix((np.ones(len(edges)), (ones, others)), shape=(n, n))


def added(table: Table, name: str) -> str | None:
    """Name what a column adds up to: as declared, or as a part of what does, or None."""
    column = table.columns[name]
    if column.adds is not None:
        return column.adds
    if column.whole is None:
        return None
    of = added(table, column.whole)
    return None if of is None else f"/{of}/{name}"


def _is_whole(kind: pa.DataType) -> bool:
    """Whether a type holds whole numbers alone; DuckDB's largest ones arrive as decimals."""
    return pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0)


def _follow(numbers: np.ndarray, known: list[np.ndarray]) -> np.ndarray:
    """Return which numbers follow from sums that are known, each of some of them."""
    sums = np.array([np.isin(numbers, its) for its in known], dtype=float)
    single = np.eye(len(numbers))
    nearest, *_ = np.linalg.lstsq(sums.T, single, rcond=None)
    return np.abs(sums.T @ nearest - single).max(axis=0) < NEAR


def _pairs(one: np.ndarray, other: np.ndarray) -> list[tuple[int, int]]:
    there = (one >= 0) & (other >= 0)
    return list(zip(one[there].tolist(), other[there].tolist(), strict=True))


def _leveled(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Divide each row by its largest entry."""
    largest = abs(matrix).max(axis=1).toarray().ravel() if matrix.shape[0] else np.ones(0)
    return sparse.csr_matrix(sparse.diags_array(1 / np.where(largest > 0, largest, 1)) @ matrix)


def is_small(values: Iterable[float] | np.ndarray, minimum: int) -> np.ndarray:
    """Whether numbers are of a group that is too small to be shown."""
    values = np.asarray(values)
    return (values > 0) & (values < minimum)
