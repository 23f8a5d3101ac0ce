"""Published tables in memory: rows as JSON beside the columns that they are found and sorted by.

DuckDB reads a version once and writes each row as JSON; Arrow answers. Of a thousand rows a list of
twenty costs 0.08 ms so, and 2 ms by a question to DuckDB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from wardhouse.publish.read import open_views
from wardhouse.warehouse import identifier, quote, relation

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from wardhouse.publish.read import Snapshot

ROW = "row as json"  # no column of a model is called so
KEY = "_key"
FORMATS = {"date": "date", "timestamp": "date-time", "time": "time"}
COMPARE = {"is": pc.equal, "min": pc.greater_equal, "max": pc.less_equal}


@dataclass(frozen=True)
class Column:
    """A column, as a reader of the API sees it.

    Attributes
    ----------
    kind : str
        text, integer, number, boolean, date, timestamp, time or list.
    description : str
    """

    kind: str
    description: str

    def schema(self) -> dict[str, Any]:
        """Give its JSON schema; every figure may be unknown."""
        told = {"text": "string", "list": "array"}.get(self.kind, self.kind)
        if self.kind in FORMATS:
            return {"type": ["string", "null"], "format": FORMATS[self.kind]} | self._told()
        return {"type": [told, "null"]} | self._told()

    def _told(self) -> dict[str, str]:
        return {"description": self.description} if self.description else {}


@dataclass(frozen=True)
class Condition:
    """What a row must meet.

    Attributes
    ----------
    column : str
    comparison : str
        is, min or max.
    value : object
        Texts are compared in any case.
    """

    column: str
    comparison: str
    value: Any


class Table:
    """A table of one version, which no later version changes.

    Parameters
    ----------
    columns
        In their order.
    rows
        The columns, and each row as JSON under `ROW`.
    """

    def __init__(self, columns: dict[str, Column], rows: pa.Table, is_patient_level: bool):
        self.columns = columns
        self.is_patient_level = is_patient_level
        self._rows = rows
        self._json = rows.column(ROW).cast(pa.large_string()).combine_chunks()
        self._orders: dict[str, pa.Array] = {}
        self._compared: dict[str, pa.ChunkedArray] = {}

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._json)

    def find(self, conditions: Iterable[Condition]) -> pa.Array | None:
        """Return a mask of the rows that meet all conditions; None where there is none to meet."""
        mask = None
        for each in conditions:
            column = self._comparable(each.column)
            value = pa.scalar(each.value)
            if self.columns[each.column].kind == "text":
                value = _caseless(value)
            met = COMPARE[each.comparison](column, value.cast(column.type))
            mask = met if mask is None else pc.and_(mask, met)
        return mask

    def page(
        self, conditions: Iterable[Condition], sort: str | None, number: int, size: int
    ) -> tuple[int, list[str]]:
        """Return how many rows meet the conditions, and those of one page as JSON.

        Parameters
        ----------
        conditions
            All must be met.
        sort
            A column, with a minus before it from high to low; None as published. What is unknown
            comes last, and equal rows as published.
        number, size
            The page, from 1, and its rows.
        """
        mask = self.find(conditions)
        if sort is None:
            picked = pa.array(range(len(self))) if mask is None else pc.indices_nonzero(mask)
        else:
            picked = self._order(sort)
            picked = picked if mask is None else picked.filter(pc.take(mask, picked))
        shown = picked.slice((number - 1) * size, size)
        return len(picked), self._json.take(shown).to_pylist()

    def one(self, column: str, name: str) -> str | None:
        """Return the row of a name, in any case; of several the one that is written so."""
        picked = pc.indices_nonzero(self.find([Condition(column, "is", name)]))
        if not len(picked):
            return None
        written = self._rows.column(column).take(picked).to_pylist()
        place = written.index(name) if name in written else 0
        return self._json[picked[place].as_py()].as_py()

    def _order(self, sort: str) -> pa.Array:
        if sort not in self._orders:
            column = self._rows.column(sort.removeprefix("-"))
            order = "descending" if sort.startswith("-") else "ascending"
            self._orders[sort] = pc.array_sort_indices(
                column.combine_chunks(), order=order, null_placement="at_end"
            )
        return self._orders[sort]

    def _comparable(self, name: str) -> pa.ChunkedArray:
        if name not in self._compared:
            column, kind = self._rows.column(name), self.columns[name].kind
            if kind == "text":
                column = _caseless(column.cast(pa.string()))
            elif kind in ("integer", "number"):
                # as wide as what may be asked, else a question beyond a column's type would fail
                is_whole = pa.types.is_integer(column.type) and column.type != pa.uint64()
                column = column.cast(pa.int64() if is_whole else pa.float64())
            self._compared[name] = column.combine_chunks()
        return self._compared[name]


def _caseless(text: Any) -> Any:
    return pc.utf8_lower(pc.utf8_trim_whitespace(pc.utf8_normalize(text, form="NFC")))


def load(snapshot: Snapshot, names: set[str], memory: str) -> dict[str, Table]:
    """Read tables of a version into memory.

    Parameters
    ----------
    snapshot
        The version; it may be closed afterwards.
    names
        Which tables, with their schema, besides those of single patients; one that was not
        published is left out.
    memory
        DuckDB's limit while it reads.

    Raises
    ------
    PublishError
        When a file is missing or is no Parquet.
    """
    with open_views(snapshot, memory) as connection:
        return {
            told["name"]: _load(connection, told)
            for told in snapshot.manifest["tables"]
            if told["name"] in names or told.get("is_patient_level")
        }


def _load(connection: duckdb.DuckDBPyConnection, told: dict[str, Any]) -> Table:
    view = relation(told["schema"], told["table"])
    described = {each["name"]: each.get("description", "") for each in told.get("columns", [])}
    types = connection.execute(f"describe {view}").fetchall()
    columns = {row[0]: Column(kind(row[0], row[1]), described.get(row[0], "")) for row in types}
    values = ", ".join(
        f"{quote(name)}: {_value(identifier(name), column.kind)}"
        for name, column in columns.items()
    )
    query = f"select *, to_json({{{values}}})::varchar as {identifier(ROW)} from {view}"  # noqa: S608 - names are quoted
    rows = connection.sql(query).to_arrow_table()
    return Table(columns, rows, bool(told.get("is_patient_level")))


def kind(name: str, duckdb_type: str) -> str:
    """Tell what JSON makes of a column. Keys are texts: JavaScript rounds such large numbers."""
    if duckdb_type.endswith("[]"):
        return "list"
    base = duckdb_type.partition("(")[0]
    if name.endswith(KEY):
        return "text"
    if base in ("DATE", "TIME", "BOOLEAN"):
        return base.lower()
    if base.startswith("TIMESTAMP"):
        return "timestamp"
    if base in ("DECIMAL", "DOUBLE", "FLOAT"):
        return "number"
    return "integer" if base.endswith(("INT", "INTEGER")) else "text"


def _value(column: str, kind: str) -> str:
    """Write a value as JSON has it: RFC 3339 for times, nothing for what is no number."""
    if kind == "timestamp":
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind == "number":
        return f"case when isfinite({column}::double) then {column} end"
    return f"{column}::varchar" if kind == "text" else column
