"""What the dbt manifest of the last build declares: what is published, its columns, its tests."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wardhouse.publish.versions import AUDIENCES, PublishError

if TYPE_CHECKING:
    from pathlib import Path

UNIQUE = ("unique", "unique_together")
GRAIN = re.compile(r"One\s+row\s+per\s[^.]+\.\s*$")


@dataclass(frozen=True)
class Column:
    """A column as it is declared: what it says, and what it tells of a person."""

    description: str
    pii: str | None


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
    key : list of str
        The columns of which a test holds that no two rows share them; empty where none does.
    """

    schema: str
    name: str
    audience: str
    description: str
    columns: dict[str, Column]
    key: list[str]

    @property
    def title(self) -> str:
        """Name it as people ask for it."""
        return f"{self.schema}.{self.name}"

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
    """

    generated_at: datetime
    dbt_version: str
    tables: list[Table]
    days: list[tuple[str, str, str]]
    nodes: dict[str, list[str]]


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
            _table(node, keys.get(name, []))
            for name, node in nodes.items()
            if node["resource_type"] == "model" and _meta(node).get("publish")
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
        )
    except FileNotFoundError as error:
        raise PublishError(
            f"no dbt manifest at {path}: run wardhouse build first, or name the folder of its "
            "artifacts by --target-path"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise PublishError(f"{path} is no dbt manifest that can be read: build again") from error


def _meta(declared: dict[str, Any]) -> dict[str, Any]:
    return {**declared.get("meta", {}), **declared.get("config", {}).get("meta", {})}


def _table(node: dict[str, Any], key: list[str]) -> Table:
    table = Table(
        node["schema"],
        node["alias"],
        _meta(node)["publish"],
        node["description"].strip(),
        {
            name: Column(" ".join(column["description"].split()), _meta(column).get("pii"))
            for name, column in node["columns"].items()
        },
        key,
    )
    if table.audience not in AUDIENCES:
        raise PublishError(
            f"{table.title} declares publish: {table.audience}; give internal or shared, and build "
            "again"
        )
    direct = [name for name, column in table.columns.items() if column.pii == "direct"]
    if direct:
        raise PublishError(
            f"{table.title} declares {', '.join(direct)} to identify a person (pii: direct): take "
            "publish from the table or the columns out of it, and build again"
        )
    return table


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
