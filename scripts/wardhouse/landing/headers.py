"""Headers of files, and how a feed's declared columns map to them."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from wardhouse.landing.bytes import MAX_LINE_BYTES
from wardhouse.landing.feeds import Column, Feed
from wardhouse.landing.options import ALIAS_PREFIX, VALUE_PREFIX
from wardhouse.landing.readers import LandedFile

DELIMITERS = (",", ";", "\t", "|")
N_RECORDS = 1000  # of a CSV file, of which the width is looked at


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
    signature: str = ""  # of what decides how a file is scanned, its own bytes aside
    select: str = ""
    select_fresh: str = ""  # of the files that hold something new only

    @property
    def unreadable(self) -> list[dict[str, Any]]:
        """The files that are set aside, as rows of unreadable records."""
        return [file.problem for file in self.files if file.problem]


def normalise(name: str) -> str:
    """Reduce a column name to what is compared: `doctorId`, `Doctor ID` and `doctor_id` are one."""
    return "".join(sign for sign in name.lower() if sign.isalnum())


def read_start(path: Path, encoding: str) -> str:
    """Read the text that holds the header; nothing where it is no text, which the scan says."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    codec = "utf-16-le" if encoding == "utf-16" else encoding  # as DuckDB reads it, BOM or not
    try:
        with opener(path, "rt", encoding=codec, errors="replace", newline="") as file:
            return file.read(MAX_LINE_BYTES).removeprefix("\ufeff")
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeError):
        return ""


def split_header(start: str, delimiter: str) -> tuple[str, ...]:
    """Part the first record of a text into names."""
    try:
        names = next(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return ()
    return _distinct(names)


def read_csv_header(path: Path, plan: FeedPlan) -> tuple[str, tuple[str, ...]]:
    """Read a header, with the declared delimiter or the first that finds every required column.

    Where none does, the one that finds the most columns says best what is missing.
    """
    start = read_start(path, plan.options.get("encoding", "utf-8"))
    candidates = [plan.options["delimiter"]] if "delimiter" in plan.options else DELIMITERS
    headers = {delimiter: split_header(start, delimiter) for delimiter in candidates}
    fitting = [name for name, header in headers.items() if not missing_columns(plan, header)]
    delimiter = (
        fitting[0] if fitting else max(headers, key=lambda name: n_found(plan, headers[name]))
    )
    return delimiter, _as_wide_as_records(headers[delimiter], start, delimiter)


def _as_wide_as_records(header: tuple[str, ...], start: str, delimiter: str) -> tuple[str, ...]:
    """Drop a nameless last column that the records lack, and add one that they end in.

    Programs end their lines in a delimiter, and some only the header or only the records. The first
    records tell; each that is of another width is refused like any line that does not fit.
    """
    is_open = bool(header) and header[-1] == f"__{len(header)}"
    text = io.StringIO(start[: start.rfind("\n") + 1] or start, newline="")
    try:
        records = list(islice(csv.reader(text, delimiter=delimiter), 1, N_RECORDS + 1))
    except csv.Error:
        return header
    widths = Counter(len(record) for record in records if record)
    if is_open and widths[len(header) - 1] > widths[len(header)]:
        return header[:-1]
    ends_open = all(not record[-1] for record in records if len(record) == len(header) + 1)
    if ends_open and widths[len(header) + 1] > widths[len(header)]:
        return (*header, f"__{len(header) + 1}")
    return header


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Give a repeated or nameless column the name of its place: it is reported, not read."""
    seen: set[str] = set()
    distinct = []
    for place, name in enumerate(names, start=1):
        distinct.append(f"{name}__{place}" if name in seen or not name else name)
        seen.add(name)
    return tuple(distinct)


def _spellings(plan: FeedPlan, column: Column) -> list[str]:
    """List the names of a column, reduced: its user's own, its declared one, other known ones."""
    own = plan.options.get(ALIAS_PREFIX + column.name)
    names = (*([own] if own else []), column.name, *column.aliases)
    return [name for name in dict.fromkeys(map(normalise, names)) if name]


def map_columns(plan: FeedPlan, header: Sequence[str]) -> dict[str, list[str]]:
    """Map each declared column to the header names that spell it, the one that counts first.

    What `feeds.csv` says comes before the declared name, and that before an alias; of two names
    that are one when reduced, the exact one.
    """
    mapping = {}
    for column in plan.feed.columns:
        spellings = _spellings(plan, column)
        names = [name for name in dict.fromkeys(header) if normalise(name) in spellings]
        mapping[column.name] = sorted(
            names,
            key=lambda name, s=spellings, c=column: (s.index(normalise(name)), name != c.name),
        )
    return mapping


def lacking_columns(plan: FeedPlan) -> list[tuple[str, str]]:
    """List the declared columns that a file as a whole lacks, as pairs of source_file and column.

    Of a stream none: each of its messages says what it has.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    pairs = []
    for file in plan.files:
        if file.is_readable and not file.is_stream:
            if file.header not in found:
                mapping = map_columns(plan, file.header)
                found[file.header] = [name for name, names in mapping.items() if not names]
            pairs += [(file.source_file, name) for name in found[file.header]]
    return pairs


def missing_columns(plan: FeedPlan, header: Sequence[str]) -> list[str]:
    """Name the required columns that a header does not spell in any known way."""
    mapping = map_columns(plan, header)
    return [
        c.name
        for c in plan.feed.columns
        if c.required and not mapping[c.name] and VALUE_PREFIX + c.name not in plan.options
    ]


def n_found(plan: FeedPlan, header: Sequence[str]) -> int:
    """Count the declared columns that a header spells."""
    return sum(bool(names) for names in map_columns(plan, header).values())


def check_header(
    plan: FeedPlan, place: str, header: Sequence[str], *, is_json: bool = False
) -> None:
    """Note required columns that a header lacks, and columns that are not read.

    Of a table the first name of a column is read alone, of JSON records each may have another.
    Names are shown only where two declared columns or half of the required ones are among them:
    else they may be the cells of a first record, which are a patient's.
    """
    mapping = map_columns(plan, header)
    known = {name for names in mapping.values() for name in (names if is_json else names[:1])}
    missing = missing_columns(plan, header)
    if missing:
        expected = ", ".join(c.name if c.required else f"[{c.name}]" for c in plan.feed.columns)
        is_header = n_found(plan, header) > 1 or (
            2 * len(missing) <= sum(c.required for c in plan.feed.columns)
        )
        found = ", ".join(header) or "none"
        if header and not is_header:
            found = f"{len(header)}, of which {len(known) or 'none'} known; is there a header line?"
        plan.problems.append(
            f"{place} lacks {', '.join(missing)}\n"
            f"      columns expected: {expected}\n"
            f"      columns found:    {found}\n"
            f"      in feeds.csv:     {plan.feed.area},{plan.feed.name},{ALIAS_PREFIX}{missing[0]},"
            f"<its name in the file>, or {VALUE_PREFIX}{missing[0]},<what holds for every record>"
        )
        if not is_header:
            return
    plan.undeclared += [(place, name) for name in dict.fromkeys(header) if name not in known]
