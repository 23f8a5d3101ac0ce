"""Types of published columns in the databases that they are loaded into: one table for all.

ADBC appends whatever it is given, and a value of another type than the column's arrives as
another value. So each type names the Arrow type that a column is loaded as.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import identifier, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
# What DuckDB's value needs before its cast: ADBC writes an endless day as another day, and a UUID
# as text where PostgreSQL reads its bytes.
FINITE = "if(isinf({value}), error({title}), {value})"
BEFORE = {
    "DATE": FINITE,
    "TIMESTAMP": FINITE,
    "TIMESTAMP WITH TIME ZONE": FINITE,
    "UUID": "unhex(replace({value}::varchar, '-', ''))",
}


@dataclass(frozen=True)
class Kind:
    """What a type of DuckDB is elsewhere.

    Attributes
    ----------
    arrow : DataType
        As which it is loaded.
    postgresql, redshift : str
        Of the column; Redshift's texts are given their width by `redshift.py`.
    cast : str or None
        DuckDB's type to cast to before, where Arrow or PostgreSQL has none like it.
    """

    arrow: pa.DataType
    postgresql: str
    redshift: str
    cast: str | None = None


KINDS = {
    "BOOLEAN": Kind(pa.bool_(), "boolean", "boolean"),
    "TINYINT": Kind(pa.int16(), "smallint", "smallint", "SMALLINT"),
    "SMALLINT": Kind(pa.int16(), "smallint", "smallint"),
    "INTEGER": Kind(pa.int32(), "integer", "integer"),
    "BIGINT": Kind(pa.int64(), "bigint", "bigint"),
    "UTINYINT": Kind(pa.int16(), "smallint", "smallint", "SMALLINT"),
    "USMALLINT": Kind(pa.int32(), "integer", "integer", "INTEGER"),
    "UINTEGER": Kind(pa.int64(), "bigint", "bigint", "BIGINT"),
    "UBIGINT": Kind(pa.decimal128(20, 0), "numeric(20,0)", "numeric(20,0)", "DECIMAL(20,0)"),
    "HUGEINT": Kind(pa.decimal128(38, 0), "numeric(38,0)", "numeric(38,0)", "DECIMAL(38,0)"),
    "FLOAT": Kind(pa.float32(), "real", "real"),
    "DOUBLE": Kind(pa.float64(), "double precision", "double precision"),
    "VARCHAR": Kind(pa.string(), "text", "varchar"),
    "JSON": Kind(pa.string(), "text", "varchar", "VARCHAR"),
    "UUID": Kind(pa.binary(), "uuid", "varchar", "BLOB"),
    "BLOB": Kind(pa.binary(), "bytea", "varbyte"),
    "DATE": Kind(pa.date32(), "date", "date"),
    "TIME": Kind(pa.time64("us"), "time", "time"),
    "TIMESTAMP": Kind(pa.timestamp("us"), "timestamp", "timestamp"),
    "TIMESTAMP WITH TIME ZONE": Kind(pa.timestamp("us", "UTC"), "timestamptz", "timestamptz"),
}


@dataclass(frozen=True)
class Typed:
    """A column of a table, as databases take it.

    Attributes
    ----------
    name, description : str
        As the manifest of the version tells them.
    kind : Kind
        Its type; of a list that of its values.
    is_list : bool
        Whether it holds lists.
    selected : str
        DuckDB's expression that gives it in the Arrow type, and fails on what has no value there.
    """

    name: str
    description: str
    kind: Kind
    is_list: bool
    selected: str

    @property
    def postgresql(self) -> str:
        """Give the column's type in PostgreSQL."""
        return self.kind.postgresql + "[]" * self.is_list

    def takes(self, arrow: pa.DataType) -> bool:
        """Whether an Arrow type is the column's, to the letter."""
        if self.is_list:
            return pa.types.is_list(arrow) and arrow.value_type == self.kind.arrow
        return arrow == self.kind.arrow


def typed(table: dict[str, Any]) -> list[Typed]:
    """Return the columns of a table of a version's manifest, in their order.

    Raises
    ------
    PublishError
        When one has a type that is not in the table.
    """
    return [_typed(table["name"], column) for column in table["columns"]]


def _typed(title: str, column: dict[str, Any]) -> Typed:
    is_list = column["type"].endswith("[]")
    value = column["type"].removesuffix("[]")
    kind = _kind(value)
    if kind is None:
        raise PublishError(
            f"{title}.{column['name']} is {column['type']}, which has no type in PostgreSQL or "
            "Redshift here: cast it in the model, to varchar say, and build again"
        )
    name = identifier(column["name"])
    needed = BEFORE.get(value, "{value}")
    title = quote(f"{title}.{column['name']} is infinite")
    expression = needed.format(value="each" if is_list else name, title=title)
    if is_list and value in BEFORE:
        expression = f"list_transform({name}, lambda each: {expression})"
    elif is_list:
        expression = name
    target = f"{kind.cast or value}{'[]' * is_list}"
    selected = f"cast({expression} as {target}) as {name}"
    return Typed(column["name"], column["description"], kind, is_list, selected)


def _kind(name: str) -> Kind | None:
    if decimal := DECIMAL.fullmatch(name):
        precision, scale = map(int, decimal.groups())
        numeric = f"numeric({precision},{scale})"
        return Kind(pa.decimal128(precision, scale), numeric, numeric)
    if name.startswith("ENUM("):
        return Kind(pa.string(), "text", "varchar", "VARCHAR")
    return KINDS.get(name)


def check_file(
    table: dict[str, Any], columns: Iterable[Typed], held: duckdb.DuckDBPyRelation
) -> None:
    """Refuse a file whose types are not those of the manifest: a cast would round in silence.

    Parameters
    ----------
    table
        As the manifest of the version lists it.
    columns
        Its own.
    held
        Its rows, as DuckDB reads them.

    Raises
    ------
    PublishError
        When Parquet holds another type: it has none like DuckDB's HUGEINT, which becomes a double.
    """
    types = dict(zip(held.columns, map(str, held.types), strict=True))
    for declared, column in zip(table["columns"], columns, strict=True):
        found = types.get(column.name)
        if found not in (declared["type"], column.kind.cast):
            raise PublishError(
                f"{table['name']}.{column.name} is {declared['type']} in its manifest, and {found} "
                "in its file: cast it in the model to a type that Parquet has, and build again"
            )


def check(title: str, columns: Iterable[Typed], schema: pa.Schema) -> None:
    """Refuse what would not arrive as it is.

    Parameters
    ----------
    title
        Of the table.
    columns
        As the database has them.
    schema
        Of the data.

    Raises
    ------
    PublishError
        When a column's Arrow type is not its own, or there are others.
    """
    expected = [column.name for column in columns]
    if schema.names != expected:
        raise PublishError(f"{title} has other columns than its manifest tells: publish again")
    for column, field in zip(columns, schema, strict=True):
        if not column.takes(field.type):
            raise PublishError(
                f"{title}.{column.name} is {field.type}, and its column {column.postgresql}: "
                "nothing was loaded; publish again"
            )
