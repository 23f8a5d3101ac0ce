"""What the dbt manifest of the last build declares: what is published, its columns, its tests."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wardhouse.project import meta_of
from wardhouse.publish.versions import AUDIENCES, PublishError

if TYPE_CHECKING:
    from pathlib import Path

UNIQUE = ("unique", "unique_together")
GRAIN = re.compile(r"One\s+row\s+per\s[^.]+\.\s*$")


WHOLES = ("part_of", "known_of", "unknown_of")
PSEUDONYM = "pseudonym"


@dataclass(frozen=True)
class Column:
    """A column as it is declared: what it says, what it tells of a person, what it counts.

    Attributes
    ----------
    description : str
        What it is.
    pii : str or None
        direct, where it names a person; quasi, where it helps to.
    publish_as : str or None
        pseudonym, where its values leave as such.
    adds : str or None
        What its values add up to, over the cells of its table and of others.
    whole, contained : str or None
        The column that it is contained in, and how: part_of, known_of or unknown_of.
    sources : list of str
        Columns of the row that it is computed from.
    is_internal : bool
        Whether it is left out where its table is shared.
    """

    description: str
    pii: str | None
    publish_as: str | None = None
    adds: str | None = None
    whole: str | None = None
    contained: str | None = None
    sources: list[str] = field(default_factory=list)
    is_internal: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it counts or sums something that can be added up or set against a whole."""
        return self.adds is not None or self.whole is not None


@dataclass(frozen=True)
class Cells:
    """What a shared table counts.

    Attributes
    ----------
    of : list of str
        The columns that name a cell.
    people : str
        The column that counts a cell's people.
    rows : list of dict
        Rows of which a figure adds up to what columns of other tables do: `adds`, the word of
        these; `figure`; and `where`, the values of columns that name the rows.
    """

    of: list[str]
    people: str
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """A table of the warehouse that is published, as it is declared.

    Attributes
    ----------
    schema, name : str
        Where it is in the warehouse.
    audience : str
        internal or shared: its `meta.publish`.
    description : str
        In dbt's words; it ends with the grain.
    columns : dict of str to Column
        In their order.
    cells : Cells or None
        What it counts, where it is shared.
    key : list of str
        The columns of which a test holds that no two rows share them; empty where none does.
    """

    schema: str
    name: str
    audience: str
    description: str
    columns: dict[str, Column]
    cells: Cells | None = None
    key: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Name it as people ask for it."""
        return f"{self.schema}.{self.name}"

    @property
    def numbers(self) -> list[str]:
        """Name the columns of a shared table that count or sum: the rest is computed from these."""
        wholes = {column.whole for column in self.columns.values()}
        return [
            name
            for name, column in self.columns.items()
            if column.is_number or name in wholes or name == self.cells.people
        ]

    @property
    def pseudonyms(self) -> list[str]:
        """Name the columns whose values leave as pseudonyms: one makes a row tell of a patient."""
        return [name for name, each in self.columns.items() if each.publish_as == PSEUDONYM]

    @property
    def shared(self) -> Table:
        """Declare it as it is shared: without the columns that are internal."""
        its = {name: column for name, column in self.columns.items() if not column.is_internal}
        return replace(self, columns=its)

    @property
    def grain(self) -> str | None:
        """Tell what one row is: the description's last sentence."""
        found = GRAIN.search(self.description)
        return " ".join(found[0].split()) if found else None


@dataclass(frozen=True)
class Declared:
    """A dbt manifest, as far as publishing reads it.

    Attributes
    ----------
    generated_at : datetime
        UTC, without a zone.
    dbt_version : str
        Of the dbt that wrote it.
    tables : list of Table
        What is published, by name.
    days : list of tuple
        Schema, fact and column of each day in core: a test holds it against `dim_date`.
    nodes : dict of str to list of str
        All that a build runs, by dbt's unique id, with the ids of what each depends on.
    consents : list of str
        Columns of raw feeds that tell of somebody's consent, with their area and feed.
    """

    generated_at: datetime
    dbt_version: str
    tables: list[Table]
    days: list[tuple[str, str, str]]
    nodes: dict[str, list[str]]
    consents: list[str]


def read_declared(path: Path) -> Declared:
    """Read a dbt manifest.

    Raises
    ------
    PublishError
        When there is none, it is no manifest, or a table declares an audience that there is not.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        metadata, nodes = manifest["metadata"], manifest["nodes"]
        generated_at = datetime.fromisoformat(metadata["generated_at"])
        keys = _keys(nodes)
        tables = [
            table_of(node, keys.get(name, []))
            for name, node in nodes.items()
            if node["resource_type"] == "model" and meta_of(node).get("publish")
        ]
        return Declared(
            generated_at.astimezone(UTC).replace(tzinfo=None),
            metadata["dbt_version"],
            sorted(tables, key=lambda table: table.title),
            sorted(_days(nodes)),
            {
                name: node["depends_on"].get("nodes", [])
                for name, node in {**nodes, **manifest["unit_tests"]}.items()
            },
            sorted(
                f"{source['source_name']}.{source['name']}.{column}"
                for source in manifest["sources"].values()
                for column in source["columns"]
                if "consent" in column
            ),
        )
    except FileNotFoundError as error:
        raise PublishError(
            f"no dbt manifest at {path}: run wardhouse build first, or name the folder of its "
            "artifacts by --target-path"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise PublishError(f"{path} is no dbt manifest that can be read: build again") from error


def table_of(node: dict[str, Any], key: list[str] | None = None) -> Table:
    """Read a model's node of a dbt manifest.

    Parameters
    ----------
    node
        The model.
    key
        The columns that name a row, where tests hold that they do.

    Raises
    ------
    PublishError
        When it declares an audience that there is not, or a column that identifies a person.
    """
    table = Table(
        node["schema"],
        node["alias"],
        meta_of(node)["publish"],
        node["description"].strip(),
        {name: _column(column) for name, column in node["columns"].items()},
        Cells(**cells) if (cells := meta_of(node).get("cells")) else None,
        key or [],
    )
    if table.audience not in AUDIENCES:
        raise PublishError(
            f"{table.title} declares publish: {table.audience}; give internal or shared, and build "
            "again"
        )
    direct = [
        name
        for name, column in table.columns.items()
        if column.pii == "direct" and (name not in table.pseudonyms or table.audience == "shared")
    ]
    if direct:
        raise PublishError(
            f"{table.title} declares {', '.join(direct)} to identify a person (pii: direct): take "
            "publish from the table or the columns out of it, and build again"
        )
    if table.audience == "shared" and (undeclared := _undeclared(table.shared)):
        raise PublishError(
            f"{table.title} is shared and does not say what {', '.join(undeclared)} count: declare "
            "cells, and adds, part_of or from of each figure, and build again"
        )
    return table


def _column(declared: dict[str, Any]) -> Column:
    meta = meta_of(declared)
    contained = next((each for each in WHOLES if each in meta), None)
    return Column(
        " ".join(declared["description"].split()),
        meta.get("pii"),
        meta.get("publish_as"),
        meta.get("adds"),
        contained and meta[contained],
        contained,
        meta.get("from", []),
        meta.get("publish") == "internal",
    )


def _undeclared(table: Table) -> list[str]:
    """Name the figures of a shared table that tell nothing of themselves, or of others wrongly."""
    cells = table.cells
    if cells is None:
        return list(table.columns)
    figures = table.columns.keys() - set(cells.of)
    named = [*cells.of, cells.people, *(each["figure"] for each in cells.rows)]
    found = [name for name in named if name not in table.columns]
    found += [name for each in cells.rows for name in each["where"] if name not in cells.of]
    for name, column in table.columns.items():
        if name in figures:
            read = [*column.sources, *([column.whole] if column.whole else [])]
            is_told = name in table.numbers or column.sources
            if not is_told or not set(read) <= figures - {name}:
                found.append(name)
    return found


def _keys(nodes: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Give the shortest unique set of columns that a test of each model holds for all its rows."""
    found: dict[str, list[str]] = {}
    for test in nodes.values():
        kind = test.get("test_metadata") or {}
        model = test.get("attached_node")
        if kind.get("name") not in UNIQUE or test.get("config", {}).get("where") or not model:
            continue
        columns = kind["kwargs"].get("columns") or [test["column_name"]]
        if model not in found or len(columns) < len(found[model]):
            found[model] = columns
    return found


def _days(nodes: dict[str, dict[str, Any]]) -> set[tuple[str, str, str]]:
    found = set()
    for test in nodes.values():
        kind = test.get("test_metadata") or {}
        fact = nodes.get(test.get("attached_node") or "", {})
        is_day = kind.get("name") == "relationships" and "dim_date" in kind["kwargs"]["to"]
        if is_day and fact.get("name", "").startswith("fct_"):
            found.add((fact["schema"], fact["alias"], test["column_name"]))
    return found
