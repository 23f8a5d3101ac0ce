"""How one feed is read: its files looked at once, and the queries that read them."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb

from wardhouse.landing.bytes import survey_csv, survey_json, verify_json_documents
from wardhouse.landing.feeds import Feed
from wardhouse.landing.files import (
    COMPACTED,
    file_state,
    find_files,
    hash_file,
    kind_of_name,
    scanned_state,
)
from wardhouse.landing.headers import FeedPlan, check_header, map_columns, read_csv_header
from wardhouse.landing.options import VALUE_PREFIX
from wardhouse.landing.readers import (
    PAYLOAD,
    UNDECLARED,
    Batch,
    LandedFile,
    json_keys,
    parquet_columns,
    select_records,
)
from wardhouse.warehouse import identifier

SURVEY_VERSION = 4  # of what a scan finds: files of another version are scanned again


def _survey(path: Path, raw_dir: Path, plan: FeedPlan) -> LandedFile:
    """Read a file's bytes once: their hash, and whether they can be read without loss."""
    stat = scanned_state(path)
    source_file = path.relative_to(raw_dir).as_posix()
    kind = kind_of_name(path)
    if kind == "parquet":
        n_bytes = path.stat().st_size
        kind = kind if n_bytes else "empty"
        return LandedFile(source_file, path, kind, n_bytes, hash_file(path), stat)
    if kind == "csv":
        delimiter, header = read_csv_header(path, plan)
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


def _survey_named(path: Path, raw_dir: Path, plan: FeedPlan) -> LandedFile:
    """Scan a file, and let an error of the file system name it, also where a read fails."""
    try:
        return _survey(path, raw_dir, plan)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _survey_columns(plan: FeedPlan, files: Sequence[LandedFile]) -> None:
    """Look into files newly scanned: the columns of Parquet, the keys of JSON, the compacted."""
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
    """Leave out what a compacted file holds too: its parts go only after a while."""
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
    return {"source_file": file.source_file, "line": line, "error": error}


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
        Earlier scans (`FeedPlan.surveys`), by name: a file untouched since is not read again.

    Returns
    -------
    FeedPlan
        With `problems` where the feed cannot be read, and without files where it is optional and
        not there.
    """
    plan = FeedPlan(feed, options)
    spellings = [(column.name, column.aliases) for column in feed.columns]
    plan.signature = json.dumps(
        [sorted(options.items()), spellings, duckdb.__version__, SURVEY_VERSION]
    )
    try:
        paths, plan.problems = find_files(raw_dir, feed)
        if plan.problems or not paths:
            return plan
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
    kept = (UNDECLARED,) if feed.keep_undeclared else ()
    read_with = _hash(settings, plan.signature, *kept)
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
    """Scan what is new or was touched; take the rest from earlier scans."""
    files: dict[Path, LandedFile] = {}
    for path in paths:
        known = surveyed.get(path.relative_to(raw_dir).as_posix())
        if holds(known, file_state(path), plan):
            files[path] = _from_survey(known, path)
    touched = [path for path in paths if path not in files]
    with ThreadPoolExecutor(2) as pool:
        fresh = list(pool.map(lambda path: _survey_named(path, raw_dir, plan), touched))
    if fresh and not plan.problems:
        _set_broken_documents_aside(fresh)
        _survey_columns(plan, fresh)
    files |= dict(zip(touched, fresh, strict=True))
    return _without_replaced(plan, [files[path] for path in paths])


def holds(known: dict[str, Any] | None, stat: str, plan: FeedPlan) -> bool:
    """Whether an earlier scan of a file still holds."""
    return bool(known) and (known["stat"], known["signature"]) == (stat, plan.signature)


def _from_survey(known: dict[str, Any], path: Path) -> LandedFile:
    """Restore what an earlier scan found."""
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
    """Write a scan as a row that `plan_feed` takes back in the next run."""
    survey = {**vars(file), "batches": [list(vars(batch).values()) for batch in file.batches]}
    for name in ("path", "source_file", "stat"):
        del survey[name]
    return {
        "source_file": file.source_file,
        "stat": file.stat,
        "signature": plan.signature,
        "survey": json.dumps(survey),
    }


def _located(source_file: str, line: int | None, error: str) -> str:
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
    constants = {
        option.removeprefix(VALUE_PREFIX): value
        for option, value in plan.options.items()
        if option.startswith(VALUE_PREFIX)
    }
    selects, selects_fresh = [], []
    for files in groups.values():
        found = [file.payload_keys if file.is_stream else file.header for file in files]
        names = list(dict.fromkeys(name for header in found for name in header))
        place = files[0].source_file
        if len(files) > 1:
            place += f" (and {len(files) - 1} more)"
        check_header(plan, place, names, is_json=files[0].is_json or files[0].is_stream)
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
                queries.append(
                    select_records(
                        columns,
                        chosen,
                        mapping,
                        encoding,
                        raw_dir,
                        constants,
                        keep_undeclared=plan.feed.keep_undeclared,
                    )
                )
    plan.select = "\nunion all\n".join(selects)
    plan.select_fresh = "\nunion all\n".join(selects_fresh)


def empty_select(feed: Feed) -> str:
    """Write the query of a feed without rows: of an area not chosen, or optional and not there."""
    names = [column.name for column in feed.columns]
    names += [UNDECLARED] if feed.keep_undeclared else []
    columns = [f"null::varchar as {identifier(name)}" for name in names]
    columns += ["null::varchar as source_file", "null::varchar as unreadable_text"]
    return "select " + ", ".join(columns) + " where false"
