"""What shared tables declare of their cells: whole in the manifest, and true on the sample."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

import pytest
from wardhouse.warehouse import open_to_read

pytestmark = pytest.mark.long

# How a figure may hang together with others, and the columns of its row that it may name.
WHOLES = ("part_of", "known_of", "unknown_of")
WORDS = {"adds", "from", *WHOLES}


@dataclass(frozen=True)
class Shared:
    """A table of the shared audience, as it is declared.

    Attributes
    ----------
    title : str
        Schema and name.
    of : list of str
        Columns that name a cell.
    people : str or None
        The column that counts the people of a row.
    columns : dict of str to dict
        What each column declares, in their order.
    """

    title: str
    of: list[str]
    people: str | None
    columns: dict[str, dict] = field(hash=False)

    @property
    def adds(self) -> dict[str, str]:
        """Name the figures that add up, each by what it adds up to."""
        return {meta["adds"]: name for name, meta in self.columns.items() if "adds" in meta}


def faults(table: Shared) -> list[str]:
    """Say what is missing or names nothing in a table's declaration."""
    found = []
    if not table.of or not set(table.of) <= table.columns.keys():
        found.append(f"cells are of {table.of}")
    if table.people in table.of or table.people not in table.columns:
        found.append(f"people are {table.people}")
    figures = [name for name in table.columns if name not in table.of]
    added = [meta["adds"] for meta in table.columns.values() if "adds" in meta]
    found += [f"{name} is added twice" for name in {n for n in added if added.count(n) > 1}]
    for name in figures:
        meta = {word: value for word, value in table.columns[name].items() if word in WORDS}
        read = [meta[word] for word in WHOLES if word in meta] + list(meta.get("from", []))
        if not meta and name != table.people:
            found.append(f"{name} declares nothing")
        if len(WORDS & {*WHOLES} & meta.keys()) > 1:
            found.append(f"{name} is of more than one whole")
        found += [
            f"{name} names {other}" for other in read if other not in figures or other == name
        ]
    told = [name for name in table.of if WORDS & table.columns.get(name, {}).keys()]
    found += [f"{name} names a cell" for name in told]
    return found


def in_circles(table: Shared) -> list[str]:
    """Name the columns that are computed from themselves."""

    def reaches(name: str, goal: str, seen: frozenset[str] = frozenset()) -> bool:
        read = set(table.columns[name].get("from", [])) - seen
        return goal in read or any(reaches(other, goal, seen | read) for other in read)

    return [name for name in table.columns if reaches(name, name)]


@pytest.fixture(scope="module")
def shared(manifest) -> list[Shared]:
    """Return the tables of the shared audience."""
    models = [node for node in manifest.nodes.values() if str(node.resource_type) == "model"]
    found = []
    for model in models:
        if model.config.meta.get("publish") == "shared":
            cells = model.config.meta.get("cells", {})
            columns = {
                name: dict(column.config.meta)
                for name, column in model.columns.items()
                if column.config.meta.get("publish") != "internal"
            }
            title = f"{model.schema}.{model.name}"
            found.append(Shared(title, cells.get("of", []), cells.get("people"), columns))
    return sorted(found, key=lambda table: table.title)


@pytest.fixture(scope="module")
def query(sample) -> Iterator[Callable[[str], list[tuple]]]:
    """Return a function that asks the sample: by hundreds of questions, it is opened once."""
    with open_to_read(sample.database) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def test_every_figure_of_a_shared_table_is_declared(shared):
    assert len(shared) > 10
    wrong = {table.title: faults(table) + in_circles(table) for table in shared}
    assert {title: said for title, said in wrong.items() if said} == {}


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"n_visits": {}}, "n_visits declares nothing"),
        ({"n_visits": {"adds": "visits"}, "n_all": {"adds": "visits"}}, "visits is added twice"),
        ({"rate": {"from": ["n_visits"]}}, "rate names n_visits"),
        ({"rate": {"from": ["ward"]}}, "rate names ward"),
        ({"n_late": {"part_of": "n_late"}}, "n_late names n_late"),
        ({"n_late": {"part_of": "n", "known_of": "n"}}, "n_late is of more than one whole"),
        ({"ward": {"adds": "wards"}}, "ward names a cell"),
    ],
)
def test_a_declaration_that_is_missing_or_names_nothing_is_found(columns, fault):
    table = Shared("clinic.wards", ["ward"], "n", {"ward": {}, "n": {}, **columns})
    assert faults(table) == [fault]
    assert faults(Shared("clinic.wards", ["ward"], "n", {"ward": {}, "n": {}})) == []
    assert faults(Shared("clinic.wards", ["bed"], None, {"ward": {}})) == [
        "cells are of ['bed']",
        "people are None",
        "ward declares nothing",
    ]


def test_a_figure_computed_from_itself_is_found():
    columns = {"ward": {}, "n": {}, "a": {"from": ["b"]}, "b": {"from": ["a"]}}
    assert in_circles(Shared("clinic.wards", ["ward"], "n", columns)) == ["a", "b"]


def test_rows_of_shared_tables_are_cells(shared, query):
    wrong = [
        table.title
        for table in shared
        if query(f"select 1 from {table.title} group by {', '.join(table.of)} having count(*) > 1")
    ]
    assert wrong == []


def test_figures_that_add_up_to_the_same_do(shared, query):
    """In every pair of tables: over the columns of both that name cells, or in total."""
    compared, wrong = 0, []
    for one, other in combinations(shared, 2):
        keys = sorted(set(one.of) & set(other.of))
        for adds in sorted(one.adds.keys() & other.adds.keys()):
            compared += 1
            sums = [
                f"select {', '.join([*keys, f'coalesce(sum({table.adds[adds]}), 0) as total'])} "
                f"from {table.title} {'group by all' if keys else ''}"
                for table in (one, other)
            ]
            # A group that one table lacks adds nothing.
            differing = query(
                f"select count(*) from (((from ({sums[0]}) except from ({sums[1]})) union all "
                f"(from ({sums[1]}) except from ({sums[0]})))) where total <> 0"
            )
            if differing != [(0,)]:
                wrong.append((adds, one.title, other.title, keys))
    assert wrong == []
    assert compared > 10


def test_parts_are_of_their_whole(shared, query):
    compared, wrong = 0, []
    for table in shared:
        for name, meta in table.columns.items():
            for whole in (meta[word] for word in WHOLES if word in meta):
                compared += 1
                beyond = f"{name} < 0 or {name} > {whole} or ({name} is null) <> ({whole} is null)"
                if query(f"select 1 from {table.title} where {beyond}"):
                    wrong.append(f"{table.title}.{name} of {whole}")
    assert wrong == []
    assert compared > 20


def test_people_of_a_cell_are_no_more_than_what_is_counted_of_them(shared, query):
    """Every row counts whom it is of: no cell without people shows figures of some."""
    wrong = [
        f"{table.title}.{name}"
        for table in shared
        for name, meta in table.columns.items()
        if "adds" in meta and name != table.people
        if query(
            f"select 1 from {table.title} where coalesce({table.people}, 0) = 0 and {name} > 0"
        )
    ]
    assert wrong == []
