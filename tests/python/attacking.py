"""Tables to share, made of people one by one, and somebody who reads them to find out."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp
from wardhouse.publish.cells import Filled
from wardhouse.publish.declared import WHOLES, Cells, Column, Table
from wardhouse.publish.shared import write_shared

FAR = 10_000  # more than anything that is counted in these tests


def table(
    name: str, of: list[str], people: str, rows: list[dict] | None = None, **figures: dict
) -> Table:
    """Declare a shared table; a figure is what its column's meta declares."""
    columns = {each: Column("", None) for each in of}
    for figure, meta in figures.items():
        contained = next((word for word in WHOLES if word in meta), None)
        columns[figure] = Column(
            "",
            None,
            adds=meta.get("adds"),
            whole=contained and meta[contained],
            contained=contained,
            sources=meta.get("from", []),
        )
    return Table("clinic", name, "shared", "", columns, Cells(of, people, rows or []))


def filled(declared: Table, rows: dict[str, list]) -> Filled:
    """Fill a table."""
    return Filled(declared, pa.table(rows))


def share(tables: list[Filled], folder: Path, minimum: int = 11):
    """Share tables as `wardhouse publish` does; return the written tables and the audit."""

    def write(declared: Table, rows: pa.Table):
        path = folder / f"{declared.name}.parquet"
        pq.write_table(rows, path)
        return path, {"name": declared.title, "file": path.name}

    entries, audit = write_shared(tables, minimum, [], write)
    written = {entry["name"]: pq.read_table(folder / entry["file"]) for entry in entries}
    return written, audit


@dataclass(frozen=True)
class Clinic:
    """People's encounters: one row each, with whose, where, who paid and what became of it."""

    encounters: pd.DataFrame

    def tables(self, *cells: list[str]) -> list[Filled]:
        """Count them by the cells of each table."""
        return [self._table(of) for of in cells]

    def _table(self, of: list[str]) -> Filled:
        rows = (
            self.encounters.groupby(of, as_index=False)
            .agg(
                n_patients=("patient", "nunique"),
                n_encounters=("patient", "size"),
                n_completed=("is_completed", "sum"),
                cost=("cost", "sum"),
            )
            .sort_values(of)
        )
        rows["completion_rate"] = rows.n_completed / rows.n_encounters
        rows["avg_cost"] = rows.cost / rows.n_encounters
        declared = table(
            "_".join(of),
            of,
            "n_patients",
            n_patients={},
            n_encounters={"adds": "encounters"},
            n_completed={"adds": "completed", "part_of": "n_encounters"},
            cost={"adds": "cost"},
            completion_rate={"from": ["n_completed"]},
            avg_cost={"from": ["n_encounters"]},
        )
        return Filled(declared, pa.Table.from_pandas(rows, preserve_index=False))


def clinic(seed: int, n: int, **sizes: int) -> Clinic:
    """Draw encounters whose groups are of very different sizes, some of one person.

    Parameters
    ----------
    seed, n
        Of the numbers drawn; of the encounters.
    sizes
        How many values each dimension has.
    """
    chance = np.random.default_rng(seed)
    drawn = {
        name: chance.choice(size, n, p=chance.dirichlet(np.full(size, 0.6)))
        for name, size in sizes.items()
    }
    patients = chance.integers(0, max(2, int(n * chance.uniform(0.4, 1.5))), n)
    return Clinic(
        pd.DataFrame(
            {
                **{name: [f"{name} {value}" for value in values] for name, values in drawn.items()},
                "patient": patients,
                "is_completed": chance.random(n) < chance.uniform(0.5, 0.98),
                "cost": chance.gamma(2, 100, n).round(2),
            }
        )
    )


class Reader:
    """Somebody who has the shared files, and computes by whole numbers what they hide.

    Knows of each row that it is of somebody, which columns add up and which are parts, and the
    totals, but where a total or its rest is small itself. Where a column shows something, knows of
    each number that it hides whether it is hidden as small.
    """

    def __init__(self, exact: list[Filled], written: dict[str, pa.Table], minimum: int = 11):
        self.unknown: list[tuple[str, int, str]] = []
        self.least: list[float] = []
        self.most: list[float] = []
        self.sums: list[tuple[dict[int, float], float, float]] = []
        self.shown = {title: rows.to_pylist() for title, rows in written.items()}
        self.exact = {each.table.title: each.rows.to_pylist() for each in exact}
        tables = [each.table for each in exact]
        self.tables = {each.title: each for each in tables if each.title in written}
        self.minimum = minimum
        self.at: dict[tuple[str, int, str], int] = {}
        for title, declared in self.tables.items():
            for column in self.counts(declared):
                for row, cells in enumerate(self.shown[title]):
                    if cells[column] is None:
                        self._take(title, row, column)
        self._add_up()
        self._within_rows()

    @staticmethod
    def counts(declared: Table) -> list[str]:
        """Name what is counted, people first."""
        people = declared.cells.people
        counted = [name for name in declared.numbers if name.startswith("n_")]
        return [people, *(name for name in counted if name != people)]

    def _take(self, title: str, row: int, column: str) -> None:
        self.at[title, row, column] = len(self.unknown)
        self.unknown.append((title, row, column))
        declared = self.tables[title]
        is_people = column == declared.cells.people
        least, most = (1.0 if is_people else 0.0), float(FAR)
        its = declared.columns[column]
        whole = self.shown[title][row][its.whole] if its.whole and not is_people else None
        is_told = any(cells[column] is not None for cells in self.shown[title])
        if is_told and (is_people or whole is not None):
            least, most = self._like(self.exact[title][row][column], whole, its.contained)
        self.least.append(least)
        self.most.append(most)

    def _like(self, value: int, whole: int | None, contained: str | None) -> tuple[int, int]:
        """Return the numbers around one that are hidden for the same reason as it is."""
        small = range(1, self.minimum)

        def reason(each: int) -> tuple[bool, bool, bool]:
            itself = each in small and contained != "unknown_of"
            rest = whole is not None and whole - each in small and contained != "known_of"
            is_empty = each == 0 and contained != "unknown_of"
            return itself or rest, is_empty, each == whole and contained != "known_of"

        least = most = value
        while least > 0 and reason(least - 1) == reason(value):
            least -= 1
        while most < (FAR if whole is None else whole) and reason(most + 1) == reason(value):
            most += 1
        return least, most

    def _sum(self, terms: list[tuple[float, str, int, str]], least: float, most: float) -> None:
        """Know that terms sum up to something between two numbers."""
        unknown: dict[int, float] = {}
        for sign, title, row, column in terms:
            value = self.shown[title][row][column]
            if value is None:
                unknown[self.at[title, row, column]] = sign
            else:
                least, most = least - sign * value, most - sign * value
        if unknown:
            self.sums.append((unknown, least, most))

    def _add_up(self) -> None:
        adding: dict[str, list[tuple[str, str]]] = {}
        for title, declared in self.tables.items():
            for column in self.counts(declared):
                if declared.columns[column].adds:
                    adding.setdefault(declared.columns[column].adds, []).append((title, column))
        for members in adding.values():
            for title, column in members:
                rows = self.exact[title]
                total = sum(row[column] for row in rows)
                whole = self.tables[title].columns[column].whole
                rest = sum(row[whole] for row in rows) - total if whole else None
                small = range(1, self.minimum)
                if total not in small and rest not in small:
                    terms = [(1.0, title, row, column) for row in range(len(rows))]
                    self._sum(terms, total, total)
            for one, other in itertools.combinations(members, 2):
                self._link(one, other)

    def _link(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        keys = set(self.tables[one[0]].cells.of) & set(self.tables[other[0]].cells.of)
        groups: dict[tuple, list] = {}
        for (title, column), sign in ((one, 1.0), (other, -1.0)):
            for row, cells in enumerate(self.shown[title]):
                cell = tuple(cells[key] for key in sorted(keys))
                groups.setdefault(cell, []).append((sign, title, row, column))
        for terms in groups.values():
            self._sum(terms, 0, 0)

    def _within_rows(self) -> None:
        for title, declared in self.tables.items():
            people, exact = declared.cells.people, self.exact[title]
            for column in self.counts(declared):
                if column == people:
                    continue
                more, fewer = declared.columns[column].whole or column, column
                if more == column:
                    fewer = people
                if all(row[fewer] <= row[more] for row in exact):
                    for row in range(len(exact)):
                        terms = [(1.0, title, row, more), (-1.0, title, row, fewer)]
                        self._sum(terms, 0, np.inf)

    def narrowed(self, *titles: str) -> dict[tuple[str, int, str], tuple[int, int]]:
        """Return the intervals, of some tables or all, that hold fewer values than a small group.

        Where nobody or everybody is meant in the whole table, the total tells it of every row.
        """
        found = {}
        for number, (title, row, column) in enumerate(self.unknown):
            if (title in titles or not titles) and not self._is_told(title, column):
                least, most = self.interval(number)
                assert least <= self.exact[title][row][column] <= most, "it read them wrongly"
                if most - least + 1 < self.minimum - 1:
                    found[title, row, column] = (least, most)
        return found

    def _is_told(self, title: str, column: str) -> bool:
        whole = self.tables[title].columns[column].whole
        total = sum(row[column] for row in self.exact[title])
        return total == 0 or (whole and total == sum(row[whole] for row in self.exact[title]))

    def interval(self, number: int) -> tuple[int, int]:
        """Return the lowest and the highest whole number that a hidden count can be."""
        entries = [(p, n, s) for p, (terms, _, _) in enumerate(self.sums) for n, s in terms.items()]
        places, numbers, signs = zip(*entries, strict=True)
        shape = (len(self.sums), len(self.unknown))
        matrix = sparse.csr_array((signs, (places, numbers)), shape=shape)
        limits = LinearConstraint(
            matrix, [least for _, least, _ in self.sums], [most for _, _, most in self.sums]
        )
        ends = []
        for sign in (1.0, -1.0):
            cost = np.zeros(len(self.unknown))
            cost[number] = sign
            answer = milp(
                cost,
                constraints=limits,
                integrality=np.ones(len(self.unknown)),
                bounds=Bounds(self.least, self.most),
            )
            assert answer.success, answer.message
            ends.append(round(sign * answer.fun))
        return ends[0], ends[1]
