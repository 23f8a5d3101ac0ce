# ruff: noqa: S608 - writing SQL is what this module is for; names and values pass quote and identifier
"""The SQL that reads raw files: every declared column as text, and the file a record came from.

Each kind of file becomes one query without sniffing, so that nothing in a file decides how the
next one is read. A file of a stream holds messages in an envelope: `payload` is the message as it
was sent, beside it are `stream_position` and `ingested_at`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

from wardhouse.landing.bytes import MAX_JSON_OBJECT_BYTES
from wardhouse.warehouse import identifier, quote

KEYS_SAMPLE = 1000  # JSON records of a large file whose keys are looked at
SMALL_FILE_BYTES = 2**20  # below it, the keys of every JSON record are looked at
PATH = "landed_path"  # column in which DuckDB gives the file that a record came from
REJECTS = "landing_rejects"  # temporary table in which DuckDB keeps the CSV lines it refuses
PAYLOAD = "payload"
ENVELOPE = ("ingested_at", "stream_position")  # what is beside the payload of a message
REPEATED_HEADER = "repeated header: "  # what unreadable_reason in macros/staging looks for
UNDECLARED = "undeclared_values"  # column of a feed that keeps what it does not declare
MEMBER = "source_file"  # column of a compacted file: the file that a message landed in


@dataclass(frozen=True)
class Batch:
    """A file that a compacted one replaced: its place in the raw directory and its bytes' hash."""

    source_file: str
    n_bytes: int
    content_hash: str


@dataclass
class LandedFile:
    """One raw file of a feed, scanned.

    `stat` says whether the file was touched since. `problem` says why it is set aside as a whole,
    as a row of unreadable records.
    """

    source_file: str
    path: Path
    kind: str  # csv, array, object, ndjson, parquet or empty
    n_bytes: int
    content_hash: str
    stat: str = ""
    header: tuple[str, ...] = ()  # CSV and Parquet columns, JSON keys
    types: tuple[str, ...] = ()  # of Parquet columns
    payload_keys: tuple[str, ...] = ()  # of the messages of a stream
    delimiter: str = ","
    batches: tuple[Batch, ...] = ()
    problem: dict[str, Any] | None = None

    @property
    def is_readable(self) -> bool:
        """Whether its records can be read; an empty file has none."""
        return self.problem is None and self.kind != "empty"

    @property
    def is_json(self) -> bool:
        """Whether its records are JSON objects of a text file."""
        return self.kind in ("array", "object", "ndjson")

    @property
    def is_stream(self) -> bool:
        """Whether its records are messages in an envelope."""
        return {PAYLOAD, *ENVELOPE} <= set(self.header)

    @property
    def landed(self) -> tuple[Batch, ...]:
        """The files that it stands for: itself, or those it replaced."""
        return self.batches or (Batch(self.source_file, self.n_bytes, self.content_hash),)


def file_list(paths: Iterable[Path]) -> str:
    """Write file names as an SQL list, in which none of them is taken as a pattern."""
    names = (re.sub(r"([*?\[])", r"[\1]", path.as_posix()) for path in paths)
    return "[" + ", ".join(quote(name) for name in names) + "]"


def select_records(
    columns: Sequence[str],
    files: Sequence[LandedFile],
    mapping: dict[str, list[str]],
    encoding: str,
    raw_dir: Path,
    constants: Mapping[str, str] = MappingProxyType({}),
    *,
    keep_undeclared: bool = False,
) -> str:
    """Write the query of files that are read alike.

    Parameters
    ----------
    columns
        Declared columns, in the order of the query's.
    files
        Files of one kind and header.
    mapping
        For each declared column the names that spell it in these files: the first that is there
        is read, of JSON records in each record.
    encoding
        Of CSV files: utf-8, latin-1 or utf-16.
    raw_dir
        The raw directory, absolute: names of files are given relative to it.
    constants
        Values by declared column, for records that have no such column.
    keep_undeclared
        Whether what a record says beside the declared columns is kept.

    Returns
    -------
    str
        Query of the declared columns as text; where they are kept `undeclared_values`, the JSON
        object of the record's other columns: texts by name, sorted, null where it has none;
        `source_file`; and `unreadable_text`, which holds what is no record.
    """
    first = files[0]
    unreadable = undeclared = "null::varchar"
    read = [found[0] for found in mapping.values() if found]  # of a table
    others = sorted(n for n in first.header if keep_undeclared and n not in read and "\0" not in n)
    has: dict[str, str] = {}  # whether a record has a name, where records of a query differ
    if first.is_json or first.is_stream:
        # A key that the looked at records lack may still come later.
        mapping = {column: found or [column] for column, found in mapping.items()}
        keys = list(dict.fromkeys(name for found in mapping.values() for name in found))
        tested = {
            name
            for column, found in mapping.items()
            for name in (found if column in constants else found[:-1])
        }
        places = {key: f"fields[{place}]" for place, key in enumerate(keys, start=1)}
        tested = [key for key in keys if key in tested]
        has = {key: f"has_key[{place}]" for place, key in enumerate(tested, start=1)}
        if first.is_stream:
            mapping |= {name: [name] for name in ENVELOPE if name in mapping}
            places |= {name: name for name in ENVELOPE}
        reader = _json_fields(files, keys, tested, keep_undeclared=keep_undeclared)
        undeclared = f"nullif({UNDECLARED}, '{{}}')"
        unreadable = "unreadable_text"
    elif first.kind == "csv":
        places = {name: f"c{place}" for place, name in enumerate(first.header, start=1)}
        reader = _csv(files, encoding)
        undeclared = _json_object({name: places[name] for name in others})
        unreadable = _repeated_header({name: places[name] for name in read})
    else:
        types = dict(zip(first.header, first.types, strict=True))
        places = {name: _as_text(name, types[name]) for name in first.header}
        reader = f"({_parquet(files)})"
        undeclared = _json_object({name: places[name] for name in others})
        texts = [name for name in (*read, *others) if types[name] == "VARCHAR"]
        unreadable = _with_nul([identifier(name) for name in texts])
    selected = [
        f"{_first_there(mapping[column], places, has, constants.get(column))} as "
        f"{identifier(column)}"
        for column in columns
    ]
    selected += [f"{undeclared} as {UNDECLARED}"] if keep_undeclared else []
    prefix = len(raw_dir.as_posix()) + 2
    source_file = f"substr({PATH}, {prefix})"
    if first.batches:
        source_file = f"regexp_replace({source_file}, '[^/]*$', {MEMBER})"
    selected += [f"{source_file} as source_file", f"{unreadable} as unreadable_text"]
    return "select " + ", ".join(selected) + "\nfrom " + reader


def _with_nul(texts: Sequence[str]) -> str:
    """Write out the columns of a record, where one of them holds what no text may: NUL."""
    if not texts:
        return "null::varchar"
    has_nul = " or ".join(f"contains({text}, chr(0))" for text in texts)
    record = ", ".join(f"{text}: {text}" for text in dict.fromkeys(texts))
    return f"case when {has_nul} then to_json({{{record}}})::varchar end"


def _json_object(values: Mapping[str, str]) -> str:
    """Write the JSON object of some SQL expressions by name, as text; null where there are none."""
    if not values:
        return "null::varchar"
    return f"json_object({', '.join(f'{quote(k)}, {v}' for k, v in values.items())})::varchar"


def _as_text(name: str, kind: str) -> str:
    """Write a Parquet column as text, whole numbers kept as doubles without a point."""
    column = identifier(name)
    if kind not in ("DOUBLE", "FLOAT"):
        return f"{column}::varchar"
    is_whole = f"{column} = trunc({column}) and abs({column}) < {2**53}"
    return f"case when {is_whole} then {column}::bigint::varchar else {column}::varchar end"


def _repeated_header(places: dict[str, str]) -> str:
    """Write the text of a record that says the names of its columns: files that were joined."""
    names = [name for name in places if not re.search(r"__[0-9]+$", name)]
    if not names:
        return "null::varchar"
    first, *others = names
    marked = f"({quote(first)}, {quote(chr(0xFEFF) + first)})"
    said = [f"{places[first]} in {marked}", *(f"{places[n]} = {quote(n)}" for n in others)]
    text = quote(REPEATED_HEADER + ", ".join(names))
    return f"case when {' and '.join(said)} then {text} end"


def _first_there(
    names: Sequence[str], places: dict[str, str], has: dict[str, str], constant: str | None
) -> str:
    """Write the value of the first name that a record has, else the constant."""
    otherwise = "null::varchar" if constant is None else quote(constant)
    if not has:
        return places[names[0]] if names else otherwise
    tested = [name for name in names if name in has]
    if len(tested) < len(names):
        otherwise = places[names[-1]]
    if not tested:
        return otherwise
    cases = " ".join(f"when {has[name]} then {places[name]}" for name in tested)
    return f"case {cases} else {otherwise} end"


def _read_options() -> str:
    return f"filename = '{PATH}', hive_partitioning = false"


def _reject_options() -> str:
    """Write the options that keep refused lines; the parallel scanner loses some of them."""
    return (
        f"{_read_options()}, parallel = false, store_rejects = true, rejects_table = '{REJECTS}', "
        f"rejects_scan = '{REJECTS}_scan', rejects_limit = 0"
    )


def _csv(files: Sequence[LandedFile], encoding: str) -> str:
    """Name columns by their place: whatever a header holds is no part of the query."""
    columns = ", ".join(f"'c{place}': 'varchar'" for place in range(1, len(files[0].header) + 1))
    return (
        f"read_csv({_paths(files)}, columns = {{{columns}}}, auto_detect = false, "
        f"header = true, delim = {quote(files[0].delimiter)}, quote = '\"', escape = '\"', "
        f"encoding = {quote(encoding)}, {_reject_options()})"
    )


def _paths(files: Sequence[LandedFile]) -> str:
    return file_list(file.path for file in files)


def _parquet(files: Sequence[LandedFile]) -> str:
    return f"select * from read_parquet({_paths(files)}, {_read_options()})"


def _json_records(files: Sequence[LandedFile]) -> str:
    """Write the query of the records of JSON files: `record` as text and `is_object`."""
    if files[0].kind != "ndjson":
        layout = "array" if files[0].kind == "array" else "unstructured"
        return (
            f"select {PATH}, json::varchar as record, json_type(json) = 'OBJECT' as is_object "
            f"from read_json_objects({_paths(files)}, format = '{layout}', {_read_options()}, "
            f"maximum_object_size = {MAX_JSON_OBJECT_BYTES})"
        )
    # Lines as they are: no sign is a quote, four separators in a row are no text, and files that
    # mix line ends stop the strict reader.
    separator = " || ".join(f"chr({code})" for code in (28, 29, 30, 31))
    return (
        f"select {PATH}, line as record, {_is_object('line')} as is_object "
        f"from read_csv({_paths(files)}, columns = {{'line': 'varchar'}}, auto_detect = false, "
        f"header = false, delim = {separator}, quote = '', escape = '', strict_mode = false, "
        f"{_reject_options()}) "
        "where starts_with(line, '{') or trim(line, ' ' || chr(9) || chr(13)) <> ''"
    )


def _is_object(text: str) -> str:
    # By its first sign, for what is valid and begins like an object is one.
    blanks = " || ".join(["' '", *(f"chr({code})" for code in (9, 10, 13))])
    return f"json_valid({text}) and starts_with(ltrim({text}, {blanks}), '{{')"


def _messages(files: Sequence[LandedFile]) -> str:
    """Write the query of the messages of stream files, as `record`, beside their envelope."""
    names = (*ENVELOPE, *([MEMBER] if files[0].batches else ()))
    if files[0].kind == "parquet":
        record = f"coalesce({PAYLOAD}::varchar, '')"
        envelope = "".join(f", {name}::varchar as {name}" for name in names)
        source = _parquet(files)
    else:
        # A line that is no envelope is itself what cannot be read.
        record = (
            f"case when is_object then coalesce(json_extract_string(record, '/{PAYLOAD}'), '') "
            "else record end"
        )
        envelope = "".join(
            f", case when is_object then json_extract_string(record, '/{name}') end as {name}"
            for name in names
        )
        source = _json_records(files)
    return (
        f"select *, {_is_object('record')} as is_object "
        f"from (select {PATH}, {record} as record{envelope} from ({source}))"
    )


def _json_fields(
    files: Sequence[LandedFile],
    keys: Sequence[str],
    tested: Sequence[str] = (),
    *,
    keep_undeclared: bool = False,
) -> str:
    """Write the query of the values of some keys, as the list `fields`, of every JSON record.

    Which of the `tested` keys a record has is the list `has_key`; what its other keys say is kept
    as the object `undeclared_values`.
    """
    has_key = others = undeclared = ""
    if tested:
        exists = f"json_exists(record, {_text_list(map(_pointer, tested))})"
        has_key = f"case when is_record then {exists} end as has_key, "
    fields = f"json_extract_string(record, {_text_list(map(_pointer, keys))})"
    texts = fields
    if keep_undeclared:
        others = _other_entries(keys)
        texts = (
            f"{fields} || list_transform({others}, lambda entry : concat(entry.key, entry.value))"
        )
        kept = f"to_json(map_from_entries({others}))::varchar"
        undeclared = f"case when is_record then {kept} end as {UNDECLARED}, "
    records = _messages(files) if files[0].is_stream else _json_records(files)
    is_record = f"case when is_object then {_is_plain(files, texts)} else false end"
    return (
        f"(select * exclude (record, is_record), {has_key}{undeclared}"
        f"case when is_record then {fields} end as fields, "
        "case when not is_record then record end as unreadable_text "
        f"from (select * exclude (is_object), {is_record} as is_record from ({records})))"
    )


def _other_entries(keys: Sequence[str]) -> str:
    """Write the list of what a JSON record says under other keys, by key, as texts."""
    names = f"list_filter(json_keys(record), lambda name : name not in ({_texts(keys)}))"
    pointer = "'/' || replace(replace(name, '~', '~0'), '/', '~1')"
    return (
        f"list_transform(list_sort({names}), lambda name : "
        f"{{key: name, value: json_extract_string(record, {pointer})}})"
    )


def _is_plain(files: Sequence[LandedFile], texts: str) -> str:
    r"""Write whether a JSON object names each key once and none of the texts read holds NUL.

    Which of two values counts nobody can tell. Most records of a file have the same keys: to
    compare lists costs a fifth of what counting distinct keys does. Only a record with the text
    \u0000 can hold NUL.
    """
    headers = Counter(file.payload_keys if file.is_stream else file.header for file in files)
    usual = headers.most_common(1)[0][0]
    usual = () if any("\0" in key for key in usual) else usual
    return (
        f"case when json_keys(record) = {_text_list(usual)} then true "
        "else list_unique(json_keys(record)) = len(json_keys(record)) end "
        "and not case when contains(record, '\\u0000') "
        f"then len(list_filter({texts}, lambda field : contains(field, chr(0)))) > 0 "
        "else false end"
    )


def _texts(texts: Iterable[str]) -> str:
    return ", ".join(map(quote, texts))


def _text_list(texts: Iterable[str]) -> str:
    return f"[{_texts(texts)}]::varchar[]"


def _pointer(key: str) -> str:
    """Write a key as JSON pointer."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def json_keys(
    files: Sequence[LandedFile], connection: duckdb.DuckDBPyConnection
) -> dict[Path, tuple[str, ...]]:
    """Find the keys of the records of files: of all in small files, of the first in large ones.

    Parameters
    ----------
    files
        JSON files of one kind, or files of a stream, of which the payloads are looked at.
    connection
        Any DuckDB connection.

    Returns
    -------
    dict
        The keys of each file that has any.
    """
    small = [file for file in files if file.n_bytes < SMALL_FILE_BYTES]
    samples = [(small, "")] if small else []
    samples += [([f], f" limit {KEYS_SAMPLE}") for f in files if f.n_bytes >= SMALL_FILE_BYTES]
    keys: dict[Path, dict[str, None]] = {}
    for chosen, limit in samples:
        records = _messages(chosen) if chosen[0].is_stream else _json_records(chosen)
        rows = connection.execute(
            f"select distinct {PATH}, json_keys(record) from ({records}{limit}) "
            "where is_object order by all"
        ).fetchall()
        for path, found in rows:
            keys.setdefault(Path(path), {}).update(dict.fromkeys(found))
    return {path: tuple(found) for path, found in keys.items()}


def parquet_columns(
    paths: Sequence[Path], connection: duckdb.DuckDBPyConnection
) -> dict[Path, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Read the names and DuckDB types of the columns of Parquet files, from one file at a time."""
    found = {}
    for path in paths:
        rows = connection.execute(
            f"describe select * from read_parquet({file_list([path])}, {_read_options()})"
        ).fetchall()
        names, types, *_ = zip(*(row for row in rows if row[0] != PATH), strict=True)
        found[path] = (names, types)
    return found
