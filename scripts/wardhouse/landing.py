# ruff: noqa: S608 - writing SQL is what this module is for; names and values pass quote and identifier
"""What the raw directory holds, judged before anything is built.

The only module that knows files and formats. It matches files to the declared feeds, columns to
headers, and writes the SQL of one view per feed. dbt calls it through the macro `land_feeds`,
`wardhouse inspect` calls it without dbt.
"""

import csv
import glob
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from wardhouse.survey import (
    MAX_JSON_OBJECT_BYTES,
    MAX_LINE_BYTES,
    survey_csv,
    survey_json,
    verify_json_documents,
)

SUFFIXES = (".csv", ".csv.gz", ".json", ".jsonl", ".ndjson", ".parquet")
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
DELIMITERS = (",", ";", "\t", "|")
OPTIONS = ("delimiter", "encoding", "date_order", "decimal_mark")
OPTION_VALUES = {
    "encoding": ("utf-8", "latin-1", "utf-16"),  # what DuckDB reads without an extension
    "date_order": ("dmy", "mdy"),
    "decimal_mark": (".", ","),
}
ALIAS_PREFIX = "column:"
KEYS_SAMPLE = 1000  # JSON records of a large file whose keys are looked at
SMALL_FILE_BYTES = 2**20  # below it, the keys of every JSON record are looked at
PATH = "landed_path"  # column in which DuckDB gives the file that a record came from
REJECTS = "landing_rejects"  # temporary table in which DuckDB keeps the CSV lines it refuses


@dataclass(frozen=True)
class Column:
    """A declared column of a feed, with the other spellings it is known by."""

    name: str
    required: bool
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feed:
    """A declared feed: an area, a name and its columns.

    Where `optional`, a directory without the feed is built with an empty one; a feed that is there
    is judged as any.
    """

    area: str
    name: str
    columns: tuple[Column, ...]
    optional: bool = False

    @property
    def label(self) -> str:
        """The feed as messages name it."""
        return f"{self.area}.{self.name}"


@dataclass
class LandedFile:
    """One raw file of a feed, surveyed.

    `fingerprint` covers the bytes and everything that decides what they are read as, so a file is
    stale as soon as either changes.
    """

    source_file: str
    path: Path
    kind: str  # csv, array, object, ndjson, parquet or empty
    n_bytes: int
    content_hash: str
    header: tuple[str, ...] = ()
    types: tuple[str, ...] = ()  # of Parquet columns
    delimiter: str = ","
    fingerprint: str = ""
    is_readable: bool = True


@dataclass
class FeedPlan:
    """How one feed is read: its files, its column mapping, its view and what is wrong with it."""

    feed: Feed
    options: dict[str, str]
    files: list[LandedFile] = field(default_factory=list)
    mapping: dict[str, list[str]] = field(default_factory=dict)
    undeclared: list[tuple[str, str]] = field(default_factory=list)  # source_file, column
    unreadable: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    select: str = ""


def quote(text: str) -> str:
    """Quote a string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def file_list(files: Iterable[LandedFile]) -> str:
    """Write file names as an SQL list, in which none of them is taken as a pattern."""
    names = (re.sub(r"([*?\[])", r"[\1]", file.path.as_posix()) for file in files)
    return "[" + ", ".join(quote(name) for name in names) + "]"


def normalise(name: str) -> str:
    """Reduce a column name to what is compared: lower case, one underscore for other signs."""
    words = "".join(sign if sign.isalnum() else " " for sign in name.lower()).split()
    return "_".join(words)


def feed_from_dict(declared: dict[str, Any]) -> Feed:
    """Build a feed from the plain dictionary that dbt's graph or a sources file gives."""
    columns = tuple(
        Column(
            name=column["name"],
            required=bool(column["meta"].get("required", False)),
            aliases=tuple(column["meta"].get("aliases", ())),
        )
        for column in declared["columns"]
    )
    optional = bool(declared["meta"].get("optional", False))
    return Feed(declared["area"], declared["name"], columns, optional)


def declared_feeds(project_dir: Path) -> list[Feed]:
    """Read the feeds that the project's sources files declare, without dbt.

    Parameters
    ----------
    project_dir
        Folder that holds `dbt_project.yml`.

    Returns
    -------
    list of Feed
        In the order of the files; sources outside `raw_<area>` schemas are left out.
    """
    import yaml

    feeds = []
    for path in sorted(project_dir.glob("models/staging/*/*__sources.yml")):
        for source in yaml.safe_load(path.read_text())["sources"]:
            if not source.get("schema", "").startswith("raw_"):
                continue
            for table in source["tables"]:
                columns = [{"name": c["name"], "meta": _meta(c)} for c in table["columns"]]
                feeds.append(
                    feed_from_dict(
                        {
                            "area": source["name"],
                            "name": table["name"],
                            "meta": _meta(table),
                            "columns": columns,
                        }
                    )
                )
    return feeds


def _meta(declared: dict[str, Any]) -> dict[str, Any]:
    """Read what a sources file says beside dbt's own settings; dbt takes it in either place."""
    return {**(declared.get("config") or {}).get("meta", {}), **declared.get("meta", {})}


def choose_areas(raw_dir: Path, chosen: str, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Decide which areas are built.

    Parameters
    ----------
    raw_dir
        The raw directory.
    chosen
        `WARDHOUSE_AREAS`: names separated by commas, or empty for every area that has a folder.
    known
        Areas that the project declares.

    Returns
    -------
    areas, problems
        Sorted area names, and what is wrong with the choice (empty when nothing is).
    """
    known = sorted(set(known))
    if not raw_dir.is_dir():
        return [], [f"the raw directory {raw_dir} does not exist (WARDHOUSE_RAW_DIR)"]
    names = sorted({name.strip() for name in chosen.split(",") if name.strip()})
    if names:
        unknown = [name for name in names if name not in known]
        if unknown:
            return [], [f"WARDHOUSE_AREAS names {', '.join(unknown)}; known: {', '.join(known)}"]
        return names, []
    names = [area for area in known if (raw_dir / area).is_dir()]
    if not names:
        return [], [f"{raw_dir} has no folder named after an area ({', '.join(known)})"]
    return names, []


def read_options(
    raw_dir: Path, feeds: Iterable[Feed]
) -> tuple[dict[tuple[str, str], dict[str, str]], list[str]]:
    """Read the optional `feeds.csv` (area, feed, option, value) of a raw directory.

    Returns
    -------
    options, problems
        Options by (area, feed), and a line for every setting that means nothing.
    """
    path = raw_dir / "feeds.csv"
    options: dict[tuple[str, str], dict[str, str]] = {}
    problems = []
    if not path.is_file():
        return options, problems
    names = ("area", "feed", "option", "value")
    columns = {(feed.area, feed.name): {c.name for c in feed.columns} for feed in feeds}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        return {}, [f"feeds.csv cannot be read as CSV in UTF-8: {error}"]
    if rows and not set(names) <= set(rows[0]):
        return {}, [f"feeds.csv has no header line {','.join(names)}"]
    for number, row in enumerate(rows, start=2):
        area, feed, option, value = ((row[name] or "").strip(" ") for name in names)
        value = value.replace("\\t", "\t") if option == "delimiter" else value.strip()
        problem = _option_problem(columns.get((area, feed)), f"{area}.{feed}", option, value)
        own = options.setdefault((area, feed), {})
        if problem or option in own:
            problems.append(f"feeds.csv line {number}: {problem or f'{option} is given twice'}")
        own[option] = value
    return options, problems


def _option_problem(columns: set[str] | None, label: str, option: str, value: str) -> str | None:
    allowed = OPTION_VALUES.get(option)
    if columns is None:
        return f"no feed {label!r}"
    if option.startswith(ALIAS_PREFIX):
        column = option.removeprefix(ALIAS_PREFIX)
        return None if column in columns else f"{label} declares no column {column!r}"
    if option not in OPTIONS:
        return f"no option {option!r} ({', '.join([*OPTIONS, f'{ALIAS_PREFIX}<declared column>'])})"
    if allowed and value not in allowed:
        return f"{option} is one of {', '.join(allowed)}, not {value!r}"
    if option == "delimiter" and (len(value) != 1 or not value.isascii() or value in '"\r\n\0'):
        return f"{option} is one ASCII character or \\t, not {value!r}"
    return None


def find_files(raw_dir: Path, feed: Feed) -> tuple[list[Path], list[str]]:
    """Find the files of a feed: `<area>/<feed>.<suffix>` or a folder of files of one kind.

    Hidden files, such as editors leave, are no data; any other stranger in a folder is refused,
    for whoever put it there may think that it counts. No file at all is a problem, unless the feed
    is optional.
    """
    area = raw_dir / feed.area
    folder = area / feed.name
    suffixes = ", ".join(SUFFIXES)
    beside = [p for p in area.glob("*") if p.is_file() and p.name.startswith(f"{feed.name}.")]
    single = [p for p in sorted(beside) if p.name.removeprefix(feed.name).lower() in SUFFIXES]
    names = glob.glob("**", root_dir=folder, recursive=True)  # noqa: PTH207 - rglob skips links
    inside = [folder / name for name in sorted(names)]
    inside = [path for path in inside if not path.is_dir() and path.name != "_SUCCESS"]
    sheets = [path for path in [*beside, *inside] if path.suffix.lower() in SPREADSHEETS]
    strange = [path for path in inside if not path.name.lower().endswith(SUFFIXES)]
    badly_named = [path for path in [*single, *inside] if not _is_well_named(path)]
    if sheets:
        return [], [
            f"{sheets[0]} is a spreadsheet: save it as CSV UTF-8 (one sheet, one header line)"
        ]
    if badly_named:
        return [], [f"{str(badly_named[0])!r} is not UTF-8 or holds a backslash; rename it"]
    if strange:
        return [], [f"{strange[0]} is none of {suffixes}; take it out of the folder"]
    if len(single) + bool(inside) > 1:
        places = ", ".join(str(path) for path in [*single, *([folder] if inside else [])])
        return [], [f"more than one place holds this feed: {places}; keep one"]
    if not single and not inside and not feed.optional:
        return [], [f"no file; looked for {area / feed.name} with {suffixes}, or a folder of them"]
    if len({_kind_of_name(path) for path in inside}) > 1:
        return [], [f"{folder} mixes kinds of files; keep one kind"]
    return single or inside, []


def _is_well_named(path: Path) -> bool:
    """Whether DuckDB can be told the name: it takes a backslash for the end of a folder's name."""
    return not any(sign == "\\" or "\ud800" <= sign <= "\udfff" for sign in str(path))


def _kind_of_name(path: Path) -> str:
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    return "parquet" if name.endswith(".parquet") else "json"


def _read_start(path: Path, encoding: str) -> str:
    """Read the text that holds the header; nothing where it is no text, which the survey says."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        with opener(path, "rt", encoding=codec, errors="replace", newline="") as file:
            return file.read(MAX_LINE_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeError):
        return ""


def _split_header(start: str, delimiter: str) -> tuple[str, ...]:
    try:
        names = next(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return ()
    return _distinct(names)


def _read_csv_header(path: Path, plan: FeedPlan) -> tuple[str, tuple[str, ...]]:
    """Read a header, with the declared delimiter or the first that finds every required column."""
    start = _read_start(path, plan.options.get("encoding", "utf-8"))
    candidates = [plan.options["delimiter"]] if "delimiter" in plan.options else DELIMITERS
    for delimiter in candidates:
        header = _split_header(start, delimiter)
        if not missing_columns(plan, header):
            return delimiter, header
    return candidates[0], _split_header(start, candidates[0])


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Give a repeated or nameless column the name of its place: it is reported, not read."""
    seen: set[str] = set()
    distinct = []
    for place, name in enumerate(names, start=1):
        distinct.append(f"{name}__{place}" if name in seen or not name else name)
        seen.add(name)
    return tuple(distinct)


def _spellings(plan: FeedPlan, column: Column) -> set[str]:
    own = plan.options.get(ALIAS_PREFIX + column.name)
    names = (column.name, *column.aliases, *([own] if own else []))
    return {normalise(name) for name in names} - {""}


def map_columns(plan: FeedPlan, header: Sequence[str]) -> dict[str, list[str]]:
    """Map each declared column to the header names that spell it, exact name first."""
    mapping = {}
    for column in plan.feed.columns:
        spellings = _spellings(plan, column)
        names = [name for name in dict.fromkeys(header) if normalise(name) in spellings]
        mapping[column.name] = sorted(names, key=lambda name, c=column: name != c.name)
    return mapping


def missing_columns(plan: FeedPlan, header: Sequence[str]) -> list[str]:
    """Name the required columns that a header does not spell in any known way."""
    mapping = map_columns(plan, header)
    return [c.name for c in plan.feed.columns if c.required and not mapping[c.name]]


def _check_header(plan: FeedPlan, place: str, header: Sequence[str]) -> None:
    missing = missing_columns(plan, header)
    if missing:
        expected = ", ".join(c.name if c.required else f"[{c.name}]" for c in plan.feed.columns)
        plan.problems.append(
            f"{place} lacks {', '.join(missing)}\n"
            f"      columns expected: {expected}\n"
            f"      columns found:    {', '.join(header) or 'none'}"
        )
    mapping = map_columns(plan, header)
    known = {name for names in mapping.values() for name in names}
    plan.undeclared += [(place, name) for name in dict.fromkeys(header) if name not in known]


def _survey(path: Path, raw_dir: Path, plan: FeedPlan) -> LandedFile:
    source_file = path.relative_to(raw_dir).as_posix()
    kind = _kind_of_name(path)
    if kind == "parquet":
        return _survey_parquet(path, source_file, plan)
    if kind == "csv":
        delimiter, header = _read_csv_header(path, plan)
        found = survey_csv(path, delimiter, plan.options.get("encoding", "utf-8"))
        kind = "csv" if found.n_bytes else "empty"
    else:
        delimiter, header = ",", ()
        found = survey_json(path)
        kind = found.layout
    for problem in found.problems:
        if kind in ("array", "object"):
            plan.unreadable.append(_unreadable(source_file, problem.line, problem.message, path))
        else:
            plan.problems.append(_located(source_file, problem.line, problem.message))
    readable = not (kind in ("array", "object") and found.problems)
    return LandedFile(
        source_file,
        path,
        kind,
        found.n_bytes,
        found.content_hash,
        header,
        delimiter=delimiter,
        is_readable=readable,
    )


def _survey_parquet(path: Path, source_file: str, plan: FeedPlan) -> LandedFile:
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    file = LandedFile(source_file, path, "parquet", path.stat().st_size, digest)
    if not file.n_bytes:
        file.kind = "empty"
        return file
    try:
        with duckdb.connect() as connection:
            rows = connection.execute(f"describe {_parquet([file])}").fetchall()
    except duckdb.Error as error:
        plan.problems.append(f"{source_file}: not readable as Parquet: {_first_line(error)}")
    else:
        columns = [row[:2] for row in rows if row[0] != PATH]
        file.header = tuple(name for name, _ in columns)
        file.types = tuple(kind for _, kind in columns)
    return file


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _unreadable(source_file: str, line: int | None, error: str, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        text = file.read(1000).decode("utf-8", errors="replace").replace("\0", "\ufffd")
    return {"source_file": source_file, "line": line, "error": error, "record_text": text}


def plan_feed(
    raw_dir: Path,
    feed: Feed,
    options: dict[str, str],
    settings: str = "",
    landed: dict[str, Any] | None = None,
) -> FeedPlan:
    """Decide how one feed is read.

    Parameters
    ----------
    raw_dir
        The raw directory, absolute.
    feed
        The declared feed.
    options
        The feed's own settings from `feeds.csv`.
    settings
        Whatever else decides what a file is read as (variables, versions); part of fingerprints.
    landed
        Files already in the warehouse by name: `fingerprint` and `is_readable`.

    Returns
    -------
    FeedPlan
        With `problems` where the feed cannot be read, and without files where it is optional and
        not there.
    """
    plan = FeedPlan(feed, options)
    paths, plan.problems = find_files(raw_dir, feed)
    if not paths:
        return plan
    try:
        with ThreadPoolExecutor(2) as pool:
            plan.files = list(pool.map(lambda path: _survey(path, raw_dir, plan), paths))
    except OSError as error:
        plan.problems.append(f"{error.filename}: {error.strerror}")
        return plan
    plan.problems.sort()
    if all(file.kind == "empty" for file in plan.files):
        names = ", ".join(file.source_file for file in plan.files)
        plan.problems.append(f"{names}: the file is empty")
    if plan.problems:
        return plan
    spellings = [(column.name, column.aliases) for column in feed.columns]
    signature = json.dumps([settings, sorted(options.items()), spellings, duckdb.__version__])
    for file in plan.files:
        parts = (file.content_hash, file.kind, file.delimiter, repr(file.header), signature)
        file.fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    _verify_documents(plan, landed or {})
    if any(file.is_readable and file.kind != "empty" for file in plan.files):
        _plan_view(plan, raw_dir)
    else:
        # One document of many is set aside. A whole feed is not: that would pass for no records.
        plan.problems += [_located(**row) for row in plan.unreadable]
    return plan


def _located(source_file: str, line: int | None, error: str, **_: str) -> str:
    return f"{source_file}{f' line {line}' if line else ''}: {error}"


def _verify_documents(plan: FeedPlan, landed: dict[str, Any]) -> None:
    """Set aside the JSON documents that do not parse; one that has landed is not parsed again."""
    fresh = [
        file
        for file in plan.files
        if file.kind in ("array", "object")
        and file.is_readable
        and landed.get(file.source_file) != {"fingerprint": file.fingerprint, "is_readable": True}
    ]
    broken = verify_json_documents([file.path for file in fresh]) if fresh else {}
    for file in fresh:
        if file.path in broken:
            problem = broken[file.path]
            file.is_readable = False
            plan.unreadable.append(
                _unreadable(file.source_file, problem.line, problem.message, file.path)
            )
    plan.unreadable.sort(key=lambda row: row["source_file"])


def _plan_view(plan: FeedPlan, raw_dir: Path) -> None:
    """Write the feed's view: one query per group of files that are read alike."""
    groups: dict[tuple, list[LandedFile]] = {}
    for file in plan.files:
        if file.is_readable and file.kind != "empty":
            alike = (file.kind, file.delimiter, file.header, file.types)
            groups.setdefault(alike, []).append(file)
    selects = []
    for files in groups.values():
        is_json = files[0].kind not in ("csv", "parquet")
        names = _json_keys(files) if is_json else files[0].header
        place = files[0].source_file
        if len(files) > 1:
            place += f" (and {len(files) - 1} more)"
        _check_header(plan, place, names)
        mapping = map_columns(plan, names)
        for column, found in mapping.items():
            known = plan.mapping.setdefault(column, [])
            known += [name for name in found if name not in known]
        selects.append(_select(plan, files, mapping, len(raw_dir.as_posix()) + 2))
    plan.select = "\nunion all\n".join(selects)


def _select(
    plan: FeedPlan, files: list[LandedFile], mapping: dict[str, list[str]], prefix: int
) -> str:
    """Write the query of files that are read alike; `prefix` is where `source_file` begins."""
    kind, header = files[0].kind, files[0].header
    unreadable = "null::varchar"
    if kind == "csv":
        places = {name: f"c{place}" for place, name in enumerate(header, start=1)}
        reader = _csv(files, plan.options.get("encoding", "utf-8"))
    elif kind == "parquet":
        places = {name: f"{identifier(name)}::varchar" for name in header}
        reader = f"({_parquet(files)})"
    else:
        # A key that the looked at records lack may still come later.
        mapping = {column: found or [column] for column, found in mapping.items()}
        keys = list(dict.fromkeys(name for found in mapping.values() for name in found))
        places = {key: f"fields[{place}]" for place, key in enumerate(keys, start=1)}
        reader = _json_fields(files, keys)
        unreadable = "unreadable_text"
    columns = [
        f"{_first_known([places[name] for name in mapping[column.name]])} as "
        f"{identifier(column.name)}"
        for column in plan.feed.columns
    ]
    columns += [
        f"substr({PATH}, {prefix}) as source_file",
        f"{unreadable} as unreadable_text",
    ]
    return "select " + ", ".join(columns) + "\nfrom " + reader


def _first_known(places: list[str]) -> str:
    if not places:
        return "null::varchar"
    return places[0] if len(places) == 1 else f"coalesce({', '.join(places)})"


def _read_options() -> str:
    return f"filename = '{PATH}', hive_partitioning = false"


def _reject_options() -> str:
    """Write the options that keep refused lines; the parallel scanner loses some of them."""
    return (
        f"{_read_options()}, parallel = false, store_rejects = true, rejects_table = '{REJECTS}', "
        f"rejects_scan = '{REJECTS}_scan', rejects_limit = 0"
    )


def _csv(files: list[LandedFile], encoding: str) -> str:
    """Name columns by their place: whatever stands in a header is no part of the query."""
    columns = ", ".join(f"'c{place}': 'varchar'" for place in range(1, len(files[0].header) + 1))
    return (
        f"read_csv({file_list(files)}, columns = {{{columns}}}, auto_detect = false, "
        f"header = true, delim = {quote(files[0].delimiter)}, quote = '\"', escape = '\"', "
        f"encoding = {quote(encoding)}, {_reject_options()})"
    )


def _parquet(files: list[LandedFile]) -> str:
    return f"select * from read_parquet({file_list(files)}, {_read_options()})"


def _json_records(files: list[LandedFile]) -> str:
    """Write the query of the records of JSON files: `record` as text and `is_object`."""
    if files[0].kind != "ndjson":
        layout = "array" if files[0].kind == "array" else "unstructured"
        return (
            f"select {PATH}, json::varchar as record, json_type(json) = 'OBJECT' as is_object "
            f"from read_json_objects({file_list(files)}, format = '{layout}', {_read_options()}, "
            f"maximum_object_size = {MAX_JSON_OBJECT_BYTES})"
        )
    # Lines as they are: no sign is a quote, four separators in a row are no text, and files that
    # mix line ends stop the strict reader.
    separator = " || ".join(f"chr({code})" for code in (28, 29, 30, 31))
    return (
        f"select {PATH}, line as record, case when json_valid(line) "
        "then json_type(line) = 'OBJECT' else false end as is_object "
        f"from read_csv({file_list(files)}, columns = {{'line': 'varchar'}}, auto_detect = false, "
        f"header = false, delim = {separator}, quote = '', escape = '', strict_mode = false, "
        f"{_reject_options()}) "
        "where starts_with(line, '{') or trim(line, ' ' || chr(9) || chr(13)) <> ''"
    )


def _json_fields(files: list[LandedFile], keys: list[str]) -> str:
    """Write the query of the values of some keys, as the list `fields`, of every JSON record."""
    pointers = "[" + ", ".join(quote(_pointer(key)) for key in keys) + "]"
    return (
        f"(select {PATH}, case when is_object then json_extract_string(record, {pointers}) end "
        f"as fields, case when not is_object then record end as unreadable_text "
        f"from ({_json_records(files)}))"
    )


def _pointer(key: str) -> str:
    """Write a key as JSON pointer."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _json_keys(files: list[LandedFile]) -> tuple[str, ...]:
    """Find the keys of JSON files: of all records in small files, of the first in large ones."""
    small = [file for file in files if file.n_bytes < SMALL_FILE_BYTES]
    large = [file for file in files if file.n_bytes >= SMALL_FILE_BYTES]
    samples = [(small, "")] if small else []
    samples += [([file], f" limit {KEYS_SAMPLE}") for file in large]
    keys: dict[str, None] = {}
    with duckdb.connect() as connection:
        for chosen, limit in samples:
            rows = connection.execute(
                f"select distinct json_keys(record) from ({_json_records(chosen)}{limit}) "
                "where is_object order by all"
            ).fetchall()
            keys |= dict.fromkeys(key for (found,) in rows for key in found)
    return tuple(keys)


def empty_select(feed: Feed) -> str:
    """Write the query of a feed without rows: of an area not chosen, or optional and not there."""
    columns = [f"null::varchar as {identifier(column.name)}" for column in feed.columns]
    columns += ["null::varchar as source_file", "null::varchar as unreadable_text"]
    return "select " + ", ".join(columns) + " where false"


def _message(raw_dir: Path, problems: list[str]) -> str:
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return f"The raw files in {raw_dir} cannot be built:\n{lines}"


def check_state(
    state: dict[str, Any] | None, raw_dir: str, areas: list[str], full_refresh: bool
) -> list[str]:
    """Refuse to mix raw directories, or to keep an area that is no longer chosen."""
    if state is None or full_refresh:
        return []
    problems = []
    if state["raw_dir"] != raw_dir:
        problems.append(
            f"this warehouse was built from {state['raw_dir']}, not from {raw_dir}; "
            "give --full-refresh to build it anew, or set WARDHOUSE_DB to another file"
        )
    gone = sorted(set(state["areas"]) - set(areas))
    if gone:
        problems.append(
            f"this warehouse holds {', '.join(gone)}, which is not chosen now; "
            "give --full-refresh to build it without"
        )
    return problems


def land(request: dict[str, Any]) -> dict[str, Any]:
    """Plan the landing of every declared feed.

    Parameters
    ----------
    request
        `raw_dir`, `areas` (text of WARDHOUSE_AREAS), `feeds` (declared), `settings`, `state`
        (`raw_dir` and `areas` of the last build, or null), `landed` (files in the warehouse) and
        `full_refresh`.

    Returns
    -------
    dict
        `error` (text, or null) and, where null: `raw_dir`, `areas`, `views` (SQL by schema and
        name), `files`, `unreadable`, `undeclared` and `options` as lists of rows.
    """
    raw_dir = Path(request["raw_dir"]).resolve()
    feeds = [feed_from_dict(feed) for feed in request["feeds"]]
    areas, problems = choose_areas(raw_dir, request["areas"], (feed.area for feed in feeds))
    options, bad_options = read_options(raw_dir, feeds)
    problems += bad_options
    if not problems:
        problems += check_state(request["state"], str(raw_dir), areas, request["full_refresh"])
    if problems:
        return {"error": _message(raw_dir, problems)}
    landed: dict[tuple[str, str], dict[str, Any]] = {}
    for file in request["landed"]:
        landed.setdefault((file["area"], file["feed"]), {})[file["source_file"]] = {
            "fingerprint": file["fingerprint"],
            "is_readable": file["is_readable"],
        }
    plans = [
        plan_feed(
            raw_dir,
            feed,
            options.get((feed.area, feed.name), {}),
            request["settings"],
            landed.get((feed.area, feed.name), {}),
        )
        for feed in feeds
        if feed.area in areas
    ]
    problems = [f"{plan.feed.label}: {problem}" for plan in plans for problem in plan.problems]
    if problems:
        return {"error": _message(raw_dir, problems)}
    chosen = {(plan.feed.area, plan.feed.name): plan.select for plan in plans}
    views = [
        {
            "schema": f"raw_{feed.area}",
            "name": feed.name,
            "select": chosen.get((feed.area, feed.name)) or empty_select(feed),
        }
        for feed in feeds
    ]

    def rows(key: str) -> list[dict[str, Any]]:
        return [
            {"area": plan.feed.area, "feed": plan.feed.name, **row}
            for plan in plans
            for row in getattr(plan, key)
        ]

    return {
        "error": None,
        "raw_dir": str(raw_dir),
        "areas": areas,
        "views": views,
        "files": [
            {
                "area": plan.feed.area,
                "feed": plan.feed.name,
                "source_file": file.source_file,
                "n_bytes": file.n_bytes,
                "content_hash": file.content_hash,
                "fingerprint": file.fingerprint,
                "is_readable": file.is_readable,
            }
            for plan in plans
            for file in plan.files
        ],
        "unreadable": rows("unreadable"),
        "undeclared": [
            {
                "area": plan.feed.area,
                "feed": plan.feed.name,
                "source_file": source_file,
                "column_name": name,
            }
            for plan in plans
            for source_file, name in plan.undeclared
        ],
        "options": [
            {"area": area, "feed": feed, "option": option, "value": value}
            for (area, feed), values in options.items()
            for option, value in values.items()
        ],
    }
