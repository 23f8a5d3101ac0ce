"""Writes the script that loads a published version into Amazon Redshift, from Parquet on S3.

It is text: no Redshift is asked. Texts are as wide as what they hold now, doubled, in bytes as
Redshift counts; it has no lists (they become SUPER), no UUID (a text), and holds no key to be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wardhouse.publish.read import open_views
from wardhouse.publish.serving.column_types import Typed, typed
from wardhouse.publish.serving.postgresql import comments, served, table_name
from wardhouse.publish.serving.server import STABLE, reader_of
from wardhouse.publish.versions import PublishError
from wardhouse.warehouse import identifier, quote, relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from wardhouse.publish.read import Snapshot

LEAST_BYTES, MOST_BYTES = 64, 65_535
UNREAD = ("UBIGINT", "UUID", "TIME")
WIDE = ("varchar", "varbyte")
HEAD = """\
-- Loads version {version} ({audience}, published {published_at}) into Amazon Redshift.
-- Not run by wardhouse: no Redshift was asked. First copy the files, and make the group once:
--   aws s3 sync {folder} {place}
--   create group {reader};
-- The cluster's default IAM role must be allowed to read them. This drops nothing: drop by hand the
-- views of tables that are published no more, and earlier versions; and where the schema wardhouse
-- holds another audience than {audience}, before this:
--   drop schema wardhouse cascade;
"""


def script(snapshot: Snapshot, s3_prefix: str, memory: str) -> str:
    """Write the statements, in the order to run them.

    Parameters
    ----------
    snapshot
        The version.
    s3_prefix
        s3://bucket/folder, under which the version's files will be.
    memory
        DuckDB's limit while it looks how wide texts are, such as 2GB.

    Raises
    ------
    PublishError
        When the prefix is none, or Redshift has no type for a column.
    """
    if not s3_prefix.startswith("s3://") or len(s3_prefix.strip("/")) <= len("s3:/"):
        raise PublishError("--s3-prefix is no place on S3: give s3://bucket/folder")
    manifest, schema = snapshot.manifest, f"{STABLE}_{snapshot.version}"
    tables, reader = served(manifest), reader_of(manifest["audience"])
    place = f"{s3_prefix.rstrip('/')}/{snapshot.version}/{snapshot.folder.name}/"
    head = HEAD.format(
        version=snapshot.version,
        audience=manifest["audience"],
        published_at=manifest["published_at"],
        folder=f"{snapshot.version}/{snapshot.folder.name}/",
        place=place,
        reader=reader,
    )
    with open_views(snapshot, memory) as views:
        lines = [
            "begin",
            f"create schema {schema}",
            *(line for table in tables for line in _table(schema, table, place, views)),
            f"grant usage on schema {schema} to group {reader}",
            f"grant select on all tables in schema {schema} to group {reader}",
            "commit",
            *_switch(schema, tables, reader),
        ]
    return head + "\n".join(f"{line};" for line in lines) + "\n"


def _table(
    schema: str, table: dict[str, Any], place: str, views: duckdb.DuckDBPyConnection
) -> Iterator[str]:
    columns = typed(table)
    for column in table["columns"]:
        if column["type"] in UNREAD:
            raise PublishError(
                f"{table['name']}.{column['name']} is {column['type']}, which Redshift does not "
                "read from Parquet: cast it in the model, and build again"
            )
    target = f"{schema}.{identifier(table_name(table))}"
    widths = _widths(table, columns, views)
    described = [f"{identifier(column.name)} {_type(column, widths)}" for column in columns]
    if table.get("key"):  # Redshift plans by it, and does not hold it
        described.append(f"unique ({', '.join(identifier(name) for name in table['key'])})")
    yield f"\ncreate table {target} (\n    " + ",\n    ".join(described) + "\n)"
    lists = " serializetojson" if any(column.is_list for column in columns) else ""
    yield (
        f"copy {target} from {quote(place + table['file'])} iam_role default "
        f"format as parquet{lists}"
    )
    yield from comments("table", target, table["description"], columns)
    yield f"analyze {target}"


def _widths(
    table: dict[str, Any], columns: list[Typed], views: duckdb.DuckDBPyConnection
) -> dict[str, int]:
    """Give the bytes of the longest text of each column that has a width."""
    wide = [each for each in columns if each.kind.redshift in WIDE and not each.is_list]
    if not wide:
        return {}
    asked = ", ".join(
        f"max(strlen({identifier(each.name)}::varchar))"
        if each.kind.redshift == "varchar"
        else f"max(octet_length({identifier(each.name)}))"
        for each in wide
    )
    source = relation(table["schema"], table["table"])
    [found] = views.sql(f"select {asked} from {source}").fetchall()  # noqa: S608
    for column, width in zip(wide, found, strict=True):
        if (width or 0) > MOST_BYTES:
            raise PublishError(
                f"{table['name']}.{column.name} holds a text of {width} bytes, and Redshift takes "
                f"{MOST_BYTES}: shorten it in the model"
            )
    return {each.name: width or 0 for each, width in zip(wide, found, strict=True)}


def _type(column: Typed, widths: dict[str, int]) -> str:
    if column.is_list:
        return "super"
    if column.name not in widths:
        return column.kind.redshift
    bytes_ = max(LEAST_BYTES, 1 << (2 * widths[column.name] - 1).bit_length())
    return f"{column.kind.redshift}({min(bytes_, MOST_BYTES)})"


def _switch(schema: str, tables: list[dict[str, Any]], reader: str) -> Iterator[str]:
    """Let the views of `wardhouse` read the version, bound late: its tables may be dropped."""
    yield f"\ncreate schema if not exists {STABLE}"
    yield f"grant usage on schema {STABLE} to group {reader}"
    yield "begin"
    for table in tables:
        name = identifier(table_name(table))
        source = f"{schema}.{name} with no schema binding"
        yield f"create or replace view {STABLE}.{name} as select * from {source}"  # noqa: S608
        yield f"grant select on {STABLE}.{name} to group {reader}"
    yield "commit"
