"""What the raw directory holds, judged before anything is built.

The only module that knows files and formats. It matches files to the declared feeds, columns to
headers, and writes the SQL of one view per feed. dbt calls it through the macro `land_feeds`,
`wardhouse inspect` calls it without dbt.
"""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from wardhouse.survey import MAX_LINE_BYTES, survey_csv, survey_json, verify_json_documents

SUFFIXES = (".csv", ".csv.gz", ".json", ".jsonl", ".ndjson", ".parquet")
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
DELIMITERS = (",", ";", "\t", "|")
OPTIONS = ("delimiter", "encoding", "date_order", "decimal_mark")
OPTION_VALUES = {"date_order": ("dmy", "mdy"), "decimal_mark": (".", ",")}
ALIAS_PREFIX = "column:"
KEYS_SAMPLE = 1000  # JSON records whose keys are looked at
MAX_OBJECT_BYTES = 64 * 2**20
REJECTS = "landing_rejects"  # temporary table in which DuckDB keeps the CSV lines it refuses


@dataclass(frozen=True)
class Column:
    """A declared column of a feed, with the other spellings it is known by."""

    name: str
    required: bool
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feed:
    """A declared feed: an area, a name and its columns."""

    area: str
    name: str
    columns: tuple[Column, ...]

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
    return Feed(declared["area"], declared["name"], columns)


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
                columns = [{"name": c["name"], "meta": c.get("meta", {})} for c in table["columns"]]
                feeds.append(
                    feed_from_dict(
                        {"area": source["name"], "name": table["name"], "columns": columns}
                    )
                )
    return feeds


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
    if chosen.strip():
        names = sorted({name.strip() for name in chosen.split(",") if name.strip()})
        unknown = [name for name in names if name not in known]
        if unknown:
            return [], [f"WARDHOUSE_AREAS names {', '.join(unknown)}; known: {', '.join(known)}"]
        return names, []
    names = [area for area in known if (raw_dir / area).is_dir()]
    if not names:
        return [], [f"{raw_dir} has no folder named after an area ({', '.join(known)})"]
    return names, []


def read_options(raw_dir: Path) -> tuple[dict[tuple[str, str], dict[str, str]], list[str]]:
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
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            values = {key: (row.get(key) or "") for key in ("area", "feed", "option", "value")}
            option, value = values["option"].strip(), values["value"]
            is_alias = option.startswith(ALIAS_PREFIX)
            allowed = OPTION_VALUES.get(option)
            if option not in OPTIONS and not is_alias:
                expected = ", ".join([*OPTIONS, f"{ALIAS_PREFIX}<declared column>"])
                problems.append(f"feeds.csv line {number}: no option {option!r} ({expected})")
            elif allowed and value.strip() not in allowed:
                problems.append(
                    f"feeds.csv line {number}: {option} is one of {allowed}, not {value!r}"
                )
            else:
                feed = (values["area"].strip(), values["feed"].strip())
                clean = value.replace("\\t", "\t") if option == "delimiter" else value.strip()
                options.setdefault(feed, {})[option] = clean
    return options, problems


def find_files(raw_dir: Path, feed: Feed) -> tuple[list[Path], list[str]]:
    """Find the files of a feed: `<area>/<feed>.<suffix>` or a folder of files of one kind."""
    area = raw_dir / feed.area
    suffixes = ", ".join(SUFFIXES)
    single = [area / f"{feed.name}{s}" for s in SUFFIXES if (area / f"{feed.name}{s}").is_file()]
    folder = area / feed.name
    sheets = [area / f"{feed.name}{s}" for s in SPREADSHEETS]
    inside = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    refused = [p for p in [*sheets, *inside] if p.suffix in SPREADSHEETS and p.is_file()]
    if refused:
        return [], [
            f"{refused[0]} is a spreadsheet: save it as CSV UTF-8 (one sheet, one header line)"
        ]
    found = [path for path in inside if path.name.endswith(SUFFIXES)]
    if len(single) + bool(found) > 1:
        places = ", ".join(str(path) for path in [*single, *([folder] if found else [])])
        return [], [f"more than one place holds this feed: {places}; keep one"]
    if not single and not found:
        return [], [f"no file; looked for {area / feed.name} with {suffixes}, or a folder of them"]
    if len({_kind_of_name(path) for path in found}) > 1:
        return [], [f"{folder} mixes kinds of files; keep one kind"]
    return single or found, []


def _kind_of_name(path: Path) -> str:
    name = path.name
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    return "parquet" if name.endswith(".parquet") else "json"


def _read_header(path: Path, delimiter: str, encoding: str) -> tuple[str, ...]:
    opener = gzip.open if path.suffix == ".gz" else open
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    with opener(path, "rt", encoding=codec, errors="replace", newline="") as file:
        line = file.readline(MAX_LINE_BYTES)
    return tuple(next(csv.reader([line], delimiter=delimiter), []))


def _read_csv_header(path: Path, plan: FeedPlan) -> tuple[str, tuple[str, ...]]:
    """Read a header, with the declared delimiter or the first that finds every required column."""
    encoding = plan.options.get("encoding", "utf-8")
    candidates = [plan.options["delimiter"]] if "delimiter" in plan.options else DELIMITERS
    best = (candidates[0], _read_header(path, candidates[0], encoding))
    for delimiter in candidates:
        header = _read_header(path, delimiter, encoding)
        if not missing_columns(plan, header):
            return delimiter, header
    return best


def _spellings(plan: FeedPlan, column: Column) -> set[str]:
    own = plan.options.get(ALIAS_PREFIX + column.name)
    return {normalise(name) for name in (column.name, *column.aliases, *([own] if own else []))}


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
    if kind == "csv":
        delimiter, header = _read_csv_header(path, plan)
        found = survey_csv(path, delimiter, plan.options.get("encoding", "utf-8"))
        kind = "csv" if found.n_bytes else "empty"
    elif kind == "json":
        delimiter, header = ",", ()
        found = survey_json(path)
        kind = found.layout
    else:
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return LandedFile(source_file, path, kind, len(data), digest)
    for problem in found.problems:
        where = f" line {problem.line}" if problem.line else ""
        if kind in ("array", "object"):
            plan.unreadable.append(_unreadable(source_file, problem.line, problem.message, path))
        else:
            plan.problems.append(f"{source_file}{where}: {problem.message}")
    readable = not (kind in ("array", "object") and found.problems)
    return LandedFile(
        source_file,
        path,
        kind,
        found.n_bytes,
        found.content_hash,
        header,
        delimiter,
        is_readable=readable,
    )


def _unreadable(source_file: str, line: int | None, error: str, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        text = file.read(1000).decode("utf-8", errors="replace").replace("\0", "\ufffd")
    return {"source_file": source_file, "line": line, "error": error, "record_text": text}


def plan_feed(
    raw_dir: Path, feed: Feed, options: dict[str, str], settings: str, landed: dict[str, Any]
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
        With `problems` where the feed cannot be read.
    """
    plan = FeedPlan(feed, options)
    paths, plan.problems = find_files(raw_dir, feed)
    if plan.problems:
        return plan
    with ThreadPoolExecutor(2) as pool:
        plan.files = list(pool.map(lambda path: _survey(path, raw_dir, plan), paths))
    if all(file.kind == "empty" for file in plan.files):
        names = ", ".join(file.source_file for file in plan.files)
        plan.problems.append(f"{names}: the file is empty")
    if plan.problems:
        return plan
    signature = json.dumps([settings, sorted(options.items()), duckdb.__version__])
    for file in plan.files:
        parts = (file.content_hash, file.kind, file.delimiter, repr(file.header), signature)
        file.fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    _verify_documents(plan, landed)
    _plan_view(plan, raw_dir)
    return plan


def _verify_documents(plan: FeedPlan, landed: dict[str, Any]) -> None:
    """Set aside the JSON documents that do not parse; one that has landed is not parsed again."""
    fresh = []
    for file in plan.files:
        before = landed.get(file.source_file, {})
        if before.get("fingerprint") == file.fingerprint:
            file.is_readable = before["is_readable"]
        elif file.kind in ("array", "object") and file.is_readable:
            fresh.append(file)
    broken = verify_json_documents([file.path for file in fresh]) if fresh else {}
    for file in fresh:
        if file.path in broken:
            problem = broken[file.path]
            file.is_readable = False
            plan.unreadable.append(
                _unreadable(file.source_file, problem.line, problem.message, file.path)
            )


def _groups(files: list[LandedFile]) -> dict[tuple, list[LandedFile]]:
    groups: dict[tuple, list[LandedFile]] = {}
    for file in files:
        if file.is_readable and file.kind != "empty":
            groups.setdefault((file.kind, file.delimiter, file.header), []).append(file)
    return groups


def _plan_view(plan: FeedPlan, raw_dir: Path) -> None:
    selects = []
    prefix = len(raw_dir.as_posix()) + 2
    for (kind, delimiter, header), files in _groups(plan.files).items():
        paths = "[" + ", ".join(quote(file.path.as_posix()) for file in files) + "]"
        names = header or _discover_columns(kind, paths)
        place = files[0].source_file
        if len(files) > 1:
            place += f" (and {len(files) - 1} more)"
        _check_header(plan, place, names)
        mapping = map_columns(plan, names)
        plan.mapping = {
            column: list(dict.fromkeys([*plan.mapping.get(column, []), *found]))
            for column, found in mapping.items()
        }
        reader = _reader(kind, paths, delimiter, names, plan, mapping)
        columns = [f"{_column(kind, mapping[c.name])} as {c.name}" for c in plan.feed.columns]
        unreadable = "unreadable_text" if kind == "ndjson" else "null::varchar"
        columns += [
            f"substr(filename, {prefix}) as source_file",
            f"{unreadable} as unreadable_text",
        ]
        selects.append("select " + ", ".join(columns) + "\nfrom " + reader)
    plan.select = "\nunion all\n".join(selects) or empty_select(plan.feed)


def _discover_columns(kind: str, paths: str) -> tuple[str, ...]:
    """Find the columns of JSON or Parquet files; `paths` is an SQL list of their names."""
    with duckdb.connect() as connection:
        if kind == "parquet":
            query = f"describe select * from read_parquet({paths}, union_by_name = true)"
            return tuple(row[0] for row in connection.execute(query).fetchall())
        if kind == "ndjson":
            reader = _read_lines(paths)
            records = f"(select line as json from {reader} where json_valid(line))"
        else:
            layout = "array" if kind == "array" else "unstructured"
            records = (
                f"read_json_objects({paths}, format = '{layout}', "
                f"maximum_object_size = {MAX_OBJECT_BYTES})"
            )
        query = f"""
            with records as (select json from {records} limit {KEYS_SAMPLE})
            select unnest(json_keys(json)) as key, count(*) as n_records
            from records where json_type(json) = 'OBJECT' group by key order by n_records desc, key
        """
        return tuple(row[0] for row in connection.execute(query).fetchall())


def _read_lines(paths: str) -> str:
    return (
        f"read_csv({paths}, columns = {{'line': 'varchar'}}, auto_detect = false, header = false, "
        "delim = chr(31), quote = '', escape = '', filename = true, store_rejects = true, "
        f"rejects_table = '{REJECTS}', rejects_scan = '{REJECTS}_scan', rejects_limit = 0)"
    )


def _reader(
    kind: str,
    paths: str,
    delimiter: str,
    names: Sequence[str],
    plan: FeedPlan,
    mapping: dict[str, list[str]],
) -> str:
    if kind == "csv":
        encoding = plan.options.get("encoding", "utf-8")
        columns = ", ".join(f"{quote(name)}: 'varchar'" for name in _distinct(names))
        return (
            f"read_csv({paths}, columns = {{{columns}}}, auto_detect = false, header = true, "
            f"delim = {quote(delimiter)}, quote = '\"', escape = '\"', encoding = "
            f"{quote(encoding)}, filename = true, store_rejects = true, rejects_table = "
            f"'{REJECTS}', rejects_scan = '{REJECTS}_scan', rejects_limit = 0)"
        )
    if kind == "parquet":
        return f"read_parquet({paths}, union_by_name = true, filename = true)"
    used = [name for found in mapping.values() for name in found]
    if kind == "ndjson":
        keys = "[" + ", ".join(quote("$." + identifier(name)) for name in used) + "]"
        fields = ", ".join(
            f"fields[{position}] as {identifier(name)}"
            for position, name in enumerate(used, start=1)
        )
        return (
            f"(select filename, {fields}, if(is_record, null, line) as unreadable_text from ("
            f"select filename, line, json_valid(line) and json_type(line) = 'OBJECT' as is_record, "
            f"case when is_record then json_extract_string(line, {keys}) end as fields "
            f"from {_read_lines(paths)} where trim(line) <> ''))"
        )
    layout = "array" if kind == "array" else "unstructured"
    columns = ", ".join(f"{quote(name)}: 'varchar'" for name in used)
    return (
        f"read_json({paths}, columns = {{{columns}}}, format = '{layout}', filename = true, "
        f"maximum_object_size = {MAX_OBJECT_BYTES})"
    )


def _distinct(names: Sequence[str]) -> list[str]:
    """Give every header field a name of its own, so that readers can bind them by position."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        key = name.lower()
        seen[key] = seen.get(key, 0) + 1
        distinct.append(name if seen[key] == 1 and name else f"{name}__{len(distinct) + 1}")
    return distinct


def _column(kind: str, names: list[str]) -> str:
    if not names:
        return "null::varchar"
    cast = "::varchar" if kind == "parquet" else ""
    columns = [identifier(name) + cast for name in names]
    return columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"


def empty_select(feed: Feed) -> str:
    """Write the query of a feed without rows, for areas that are not chosen."""
    columns = [f"null::varchar as {column.name}" for column in feed.columns]
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
    options, bad_options = read_options(raw_dir)
    problems += bad_options
    if not problems:
        problems += check_state(request["state"], str(raw_dir), areas, request["full_refresh"])
    if problems:
        return {"error": _message(raw_dir, problems)}
    landed: dict[tuple[str, str], dict[str, Any]] = {}
    for file in request["landed"]:
        landed.setdefault((file["area"], file["feed"]), {})[file["source_file"]] = file
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
