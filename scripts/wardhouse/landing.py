"""What the raw directory holds, judged before anything is built.

It matches files to the declared feeds and columns to headers, and plans one view per feed. dbt
calls it through the macro `land_feeds`, `wardhouse inspect` calls it without dbt.
"""

import csv
import glob
import gzip
import hashlib
import io
import json
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from wardhouse.readers import (
    PAYLOAD,
    Batch,
    LandedFile,
    identifier,
    json_keys,
    parquet_columns,
    select_records,
)
from wardhouse.survey import (
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
COMPACTED = "-compacted.parquet"  # how a file ends that replaced many of a stream
FILE_KEY = ("area", "feed", "source_file", "fingerprint")  # what makes a landed file the same
UNSETTLED_SECONDS = 2.0  # a file touched so shortly before it was surveyed is surveyed again


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
class FeedPlan:
    """How one feed is read: its files, its column mapping, its view and what is wrong with it."""

    feed: Feed
    options: dict[str, str]
    files: list[LandedFile] = field(default_factory=list)
    mapping: dict[str, list[str]] = field(default_factory=dict)
    undeclared: list[tuple[str, str]] = field(default_factory=list)  # source_file, column
    problems: list[str] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)  # by source_file
    signature: str = ""  # of what decides how a file is surveyed, its own bytes aside
    select: str = ""
    select_fresh: str = ""  # of the files that hold something new only

    @property
    def unreadable(self) -> list[dict[str, Any]]:
        """The files that are set aside, as rows of unreadable records."""
        return [file.problem for file in self.files if file.problem]


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
    kinds = {_kind_of_name(path) for path in inside if not path.name.endswith(COMPACTED)}
    if len(kinds) > 1:
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


def _stat(path: Path) -> str:
    """Tell a file's present state without reading it, as version control does."""
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def _is_settled(path: Path) -> bool:
    """Whether a further change would show in the file's state: its clock ticks coarsely."""
    return time.time() - path.stat().st_ctime > UNSETTLED_SECONDS


def _survey(path: Path, raw_dir: Path, plan: FeedPlan) -> LandedFile:
    """Read a file's bytes once: their hash, and whether they can be read without loss."""
    stat = _stat(path) if _is_settled(path) else ""
    source_file = path.relative_to(raw_dir).as_posix()
    kind = _kind_of_name(path)
    if kind == "parquet":
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        n_bytes = path.stat().st_size
        return LandedFile(source_file, path, kind if n_bytes else "empty", n_bytes, digest, stat)
    if kind == "csv":
        delimiter, header = _read_csv_header(path, plan)
        found = survey_csv(path, delimiter, plan.options.get("encoding", "utf-8"))
        kind = "csv" if found.n_bytes else "empty"
    else:
        delimiter, header = ",", ()
        found = survey_json(path)
        kind = found.layout
    file = LandedFile(
        source_file, path, kind, found.n_bytes, found.content_hash, stat, header, (), (), delimiter
    )
    for problem in found.problems:
        if kind in ("array", "object"):
            file.problem = _unreadable(file, problem.line, problem.message)
        else:
            plan.problems.append(_located(source_file, problem.line, problem.message))
    return file


def _survey_columns(plan: FeedPlan, files: Sequence[LandedFile]) -> None:
    """Look into files newly surveyed: the columns of Parquet, the keys of JSON, the compacted."""
    with duckdb.connect() as connection:
        for file in files:
            if file.kind == "parquet":
                try:
                    columns = parquet_columns([file.path], connection)
                except duckdb.Error as error:
                    problem = f"not readable as Parquet: {_first_line(error)}"
                    plan.problems.append(f"{file.source_file}: {problem}")
                    continue
                file.header, file.types = columns[file.path]
                if file.path.name.endswith(COMPACTED):
                    file.batches = _batches(file, connection)
        for kind in ("array", "object", "ndjson"):
            alike = [file for file in files if file.kind == kind and file.is_readable]
            found = json_keys(alike, connection)
            for file in alike:
                file.header = found.get(file.path, ())
        streams: dict[tuple, list[LandedFile]] = {}
        for file in files:
            if file.is_stream:
                streams.setdefault((file.kind, bool(file.batches)), []).append(file)
        for alike in streams.values():
            found = json_keys(alike, connection)
            for file in alike:
                file.payload_keys = found.get(file.path, ())


def _batches(file: LandedFile, connection: duckdb.DuckDBPyConnection) -> tuple[Batch, ...]:
    """Read from a compacted file's footer which files it replaced."""
    found = connection.execute(
        "select decode(value) from parquet_kv_metadata(?) where decode(key) = 'wardhouse'",
        [file.path.as_posix()],
    ).fetchone()
    folder = file.source_file.rpartition("/")[0]
    return tuple(
        Batch(f"{folder}/{batch['file']}", batch["n_bytes"], batch["content_hash"])
        for batch in (json.loads(found[0])["batches"] if found else ())
    )


def _without_replaced(plan: FeedPlan, files: Sequence[LandedFile]) -> list[LandedFile]:
    """Leave out what a compacted file holds too, for its parts go only after a while."""
    holders: dict[str, LandedFile] = {}
    kept = set()
    for file in sorted(files, key=lambda file: -len(file.batches)):
        parts = [batch.source_file for batch in file.landed]
        held = [part for part in parts if part in holders]
        if 0 < len(held) < len(parts):
            names = f"{holders[held[0]].source_file} and {file.source_file}"
            plan.problems.append(f"{names} both hold {held[0]}")
        if len(held) < len(parts):
            kept.add(file.source_file)
            holders |= dict.fromkeys(parts, file)
    return [file for file in files if file.source_file in kept]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _unreadable(file: LandedFile, line: int | None, error: str) -> dict[str, Any]:
    with file.path.open("rb") as opened:
        text = opened.read(1000).decode("utf-8", errors="replace").replace("\0", "\ufffd")
    return {
        "source_file": file.source_file,
        "line": line,
        "error": error,
        "record_text": text,
    }


def plan_feed(
    raw_dir: Path,
    feed: Feed,
    options: dict[str, str],
    settings: str = "",
    landed: dict[str, str] | None = None,
    surveyed: dict[str, dict[str, Any]] | None = None,
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
        Fingerprints of the files already in the warehouse, by name.
    surveyed
        Earlier surveys (`FeedPlan.surveys`), by name: a file untouched since is not read again.

    Returns
    -------
    FeedPlan
        With `problems` where the feed cannot be read, and without files where it is optional and
        not there.
    """
    plan = FeedPlan(feed, options)
    spellings = [(column.name, column.aliases) for column in feed.columns]
    plan.signature = json.dumps([sorted(options.items()), spellings, duckdb.__version__])
    paths, plan.problems = find_files(raw_dir, feed)
    if plan.problems or not paths:
        return plan
    try:
        plan.files = _survey_all(plan, paths, raw_dir, surveyed or {})
    except OSError as error:
        plan.problems.append(f"{error.filename}: {error.strerror}")
        return plan
    plan.problems.sort()
    if all(file.kind == "empty" for file in plan.files):
        names = ", ".join(file.source_file for file in plan.files)
        plan.problems.append(f"{names}: the file is empty")
    if plan.problems:
        return plan
    read_with = _hash(settings, plan.signature)
    for file in plan.files:
        kind = (PAYLOAD,) if file.is_stream else (file.kind, file.delimiter, repr(file.header))
        read_as = _hash(*kind, read_with)
        for batch in file.landed:
            plan.fingerprints[batch.source_file] = _hash(batch.content_hash, read_as)
    if any(file.is_readable for file in plan.files):
        _plan_views(plan, raw_dir, landed or {})
    else:
        # One document of many is set aside. A whole feed is not: that would pass for no records.
        plan.problems += [_located(**row) for row in plan.unreadable]
    return plan


def _hash(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _survey_all(
    plan: FeedPlan, paths: list[Path], raw_dir: Path, surveyed: dict[str, dict[str, Any]]
) -> list[LandedFile]:
    """Survey what is new or was touched; take the rest from earlier surveys."""
    files: dict[Path, LandedFile] = {}
    for path in paths:
        known = surveyed.get(path.relative_to(raw_dir).as_posix())
        if _holds(known, _stat(path), plan):
            files[path] = _from_survey(known, path)
    touched = [path for path in paths if path not in files]
    with ThreadPoolExecutor(2) as pool:
        fresh = list(pool.map(lambda path: _survey(path, raw_dir, plan), touched))
    if fresh and not plan.problems:
        _set_broken_documents_aside(fresh)
        _survey_columns(plan, fresh)
    files |= dict(zip(touched, fresh, strict=True))
    return _without_replaced(plan, [files[path] for path in paths])


def _holds(known: dict[str, Any] | None, stat: str, plan: FeedPlan) -> bool:
    """Whether an earlier survey of a file tells of it as it is."""
    found = known and (known["stat"], known["signature"])
    return found == (stat, plan.signature) and bool(stat)


def _from_survey(known: dict[str, Any], path: Path) -> LandedFile:
    """Restore what an earlier survey found."""
    survey = json.loads(known["survey"])
    batches = tuple(Batch(*batch) for batch in survey.pop("batches"))
    lists = {name: tuple(value) for name, value in survey.items() if isinstance(value, list)}
    return LandedFile(
        **{**survey, **lists},
        source_file=known["source_file"],
        path=path,
        stat=known["stat"],
        batches=batches,
    )


def survey_row(plan: FeedPlan, file: LandedFile) -> dict[str, str]:
    """Write a survey as a row that `plan_feed` takes back in the next run."""
    survey = {**vars(file), "batches": [list(vars(batch).values()) for batch in file.batches]}
    for name in ("path", "source_file", "stat"):
        del survey[name]
    return {
        "source_file": file.source_file,
        "stat": file.stat,
        "signature": plan.signature,
        "survey": json.dumps(survey),
    }


def _located(source_file: str, line: int | None, error: str, **_: str) -> str:
    return f"{source_file}{f' line {line}' if line else ''}: {error}"


def _set_broken_documents_aside(files: Sequence[LandedFile]) -> None:
    documents = [file for file in files if file.kind in ("array", "object") and file.is_readable]
    broken = verify_json_documents([file.path for file in documents]) if documents else {}
    for file in documents:
        if file.path in broken:
            problem = broken[file.path]
            file.problem = _unreadable(file, problem.line, problem.message)


def _plan_views(plan: FeedPlan, raw_dir: Path, landed: dict[str, str]) -> None:
    """Write the feed's queries: one select per group of files that are read alike."""
    groups: dict[tuple, list[LandedFile]] = {}
    for file in plan.files:
        if file.is_readable:
            header = () if file.is_json else file.header
            alike = (file.kind, file.delimiter, file.is_stream, bool(file.batches), header)
            groups.setdefault((*alike, file.types), []).append(file)
    selects, selects_fresh = [], []
    for files in groups.values():
        found = [file.payload_keys if file.is_stream else file.header for file in files]
        names = list(dict.fromkeys(name for header in found for name in header))
        place = files[0].source_file
        if len(files) > 1:
            place += f" (and {len(files) - 1} more)"
        _check_header(plan, place, names)
        mapping = map_columns(plan, names)
        for column, spelled in mapping.items():
            known = plan.mapping.setdefault(column, [])
            known += [name for name in spelled if name not in known]
        fresh = [
            file
            for file in files
            if any(
                landed.get(batch.source_file) != plan.fingerprints[batch.source_file]
                for batch in file.landed
            )
        ]
        for chosen, queries in ((files, selects), (fresh, selects_fresh)):
            if chosen:
                columns = [column.name for column in plan.feed.columns]
                encoding = plan.options.get("encoding", "utf-8")
                queries.append(select_records(columns, chosen, mapping, encoding, raw_dir))
    plan.select = "\nunion all\n".join(selects)
    plan.select_fresh = "\nunion all\n".join(selects_fresh)


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


def land(
    request: dict[str, Any],
    landed: Sequence[dict[str, Any]] = (),
    surveyed: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Plan the landing of every declared feed.

    Parameters
    ----------
    request
        `raw_dir`, `areas` (text of WARDHOUSE_AREAS), `feeds` (declared), `settings`, `state`
        (`raw_dir` and `areas` of the last build, or null) and `full_refresh`.
    landed
        Files in the warehouse: `area`, `feed`, `source_file`, `fingerprint`.
    surveyed
        The rows `surveys` of earlier answers, without those that were outdated.

    Returns
    -------
    dict
        `error` (text, or null) and, where null: `raw_dir`, `areas`, `views` (SQL by schema and
        name), `new_files` and `gone_files` (what differs from `landed`; a changed file is both),
        `surveys` (of files newly looked at), `outdated_surveys` (their files' names), `unreadable`,
        `undeclared` and `options` as lists of rows.
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
    if request["state"] and request["state"]["raw_dir"] != str(raw_dir):
        landed = ()  # a full refresh from another directory forgets what came from the first
    is_known = not request["full_refresh"]
    fingerprints = _by_feed(landed if is_known else ())
    surveys = _by_feed(surveyed if is_known else ())
    plans = [
        plan_feed(
            raw_dir,
            feed,
            options.get((feed.area, feed.name), {}),
            request["settings"],
            {
                name: file["fingerprint"]
                for name, file in fingerprints.get((feed.area, feed.name), {}).items()
            },
            surveys.get((feed.area, feed.name)),
        )
        for feed in feeds
        if feed.area in areas
    ]
    problems = [f"{plan.feed.label}: {problem}" for plan in plans for problem in plan.problems]
    if problems:
        return {"error": _message(raw_dir, problems)}
    return {
        "error": None,
        "raw_dir": str(raw_dir),
        "areas": areas,
        "views": _views(feeds, plans),
        **_file_differences(plans, landed),
        **_survey_differences(plans, surveys, surveyed),
        "unreadable": [
            {"area": plan.feed.area, "feed": plan.feed.name, **row}
            for plan in plans
            for row in plan.unreadable
        ],
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


def _file_differences(
    plans: Sequence[FeedPlan], landed: Iterable[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Tell which files the warehouse does not hold as they are, and which it should not hold."""
    present = {
        (plan.feed.area, plan.feed.name, name, fingerprint)
        for plan in plans
        for name, fingerprint in plan.fingerprints.items()
    }
    held = {tuple(row[name] for name in FILE_KEY): row for row in landed}
    return {
        "new_files": [
            row
            for plan in plans
            for row in _file_rows(plan)
            if tuple(row[name] for name in FILE_KEY) not in held
        ],
        "gone_files": [row for key, row in held.items() if key not in present],
    }


def _survey_differences(
    plans: Sequence[FeedPlan],
    surveys: dict[tuple[str, str], dict[str, dict[str, Any]]],
    surveyed: Iterable[dict[str, Any]],
) -> dict[str, list[Any]]:
    """Tell which surveys are new, and of which files earlier ones no longer hold."""
    kept, new = set(), []
    for plan in plans:
        known = surveys.get((plan.feed.area, plan.feed.name), {})
        for file in plan.files:
            if _holds(known.get(file.source_file), file.stat, plan):
                kept.add(file.source_file)
            else:
                row = {"area": plan.feed.area, "feed": plan.feed.name}
                new.append({**row, **survey_row(plan, file)})
    outdated = [row["source_file"] for row in surveyed if row["source_file"] not in kept]
    return {"surveys": new, "outdated_surveys": outdated}


def _by_feed(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["area"], row["feed"]), {})[row["source_file"]] = row
    return found


def _views(feeds: Iterable[Feed], plans: Iterable[FeedPlan]) -> list[dict[str, str]]:
    """Name the views: of all records, and of those in files that hold something new."""
    chosen = {(plan.feed.area, plan.feed.name): plan for plan in plans}
    views = []
    for feed in feeds:
        plan = chosen.get((feed.area, feed.name))
        empty = empty_select(feed)
        all_records, fresh = (plan.select, plan.select_fresh) if plan else ("", "")
        views += [
            {"schema": f"raw_{feed.area}", "name": feed.name, "select": all_records or empty},
            {"schema": "landing", "name": fresh_view(feed), "select": fresh or empty},
        ]
    return views


def fresh_view(feed: Feed) -> str:
    """Name the view of a feed's files that hold something new."""
    return f"fresh_{feed.area}__{feed.name}"


def _file_rows(plan: FeedPlan) -> list[dict[str, Any]]:
    return [
        {
            "area": plan.feed.area,
            "feed": plan.feed.name,
            "source_file": batch.source_file,
            "n_bytes": batch.n_bytes,
            "content_hash": batch.content_hash,
            "fingerprint": plan.fingerprints[batch.source_file],
            "is_readable": file.problem is None,
        }
        for file in plan.files
        for batch in file.landed
    ]
